//! Who we are.

use super::{InvalidTls, roots::certificates};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::fmt;

/// A certificate, what leads from it to its root, and its key, which is never shown.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

// === impl Identity ===

impl Identity {
    /// Certificates (our own first) and a private key (PKCS #8, PKCS #1 or SEC 1), both in PEM.
    ///
    /// # Errors
    ///
    /// If there is no certificate or no key, or one cannot be read.
    pub fn pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, InvalidTls> {
        // No cause: it could quote the key.
        let no_key = |_| InvalidTls::new("no private key in the PEM");
        Ok(Self {
            chain: certificates(chain.as_ref())?,
            key: PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(no_key)?,
        })
    }

    pub(super) fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, self.key)
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}
