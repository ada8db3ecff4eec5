//! Whom to believe.

use super::InvalidTls;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The certificates that those of servers must lead to.
#[derive(Clone, Debug)]
pub struct Roots(RootCertStore);

// === impl Roots ===

impl Roots {
    /// Nobody, yet.
    #[must_use]
    pub fn none() -> Self {
        Self(RootCertStore::empty())
    }

    /// The certificates of `text`, in PEM; what else is in it does not matter.
    ///
    /// # Errors
    ///
    /// If there is none, or one that cannot be read.
    pub fn pem(text: impl AsRef<[u8]>) -> Result<Self, InvalidTls> {
        Self::none().and_pem(text)
    }

    /// Mozilla's, as of the version of the crate `webpki-roots`: the same on every machine.
    #[cfg(feature = "tls-webpki-roots")]
    #[must_use]
    pub fn webpki() -> Self {
        Self(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
    }

    /// Those of the system; reads files. A certificate that cannot be read is left out.
    ///
    /// # Errors
    ///
    /// If it has none.
    #[cfg(feature = "tls-native-roots")]
    pub fn native() -> Result<Self, InvalidTls> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(found.certs);
        if added > 0 {
            return Ok(Self(store));
        }
        let what = "the system has no root certificate";
        Err(match found.errors.into_iter().next() {
            Some(error) => InvalidTls::because(what, error),
            None => InvalidTls::new(what),
        })
    }

    /// These, and the certificates of `text`, in PEM.
    ///
    /// # Errors
    ///
    /// As [`pem`](Self::pem).
    pub fn and_pem(mut self, text: impl AsRef<[u8]>) -> Result<Self, InvalidTls> {
        for certificate in certificates(text.as_ref())? {
            let added = self.0.add(certificate);
            added.map_err(|error| InvalidTls::because("a root that is no certificate", error))?;
        }
        Ok(self)
    }

    pub(super) fn into_store(self) -> RootCertStore {
        self.0
    }
}

/// All that are in `text`, and at least one.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, InvalidTls> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| InvalidTls::because("a certificate is no PEM", error))?;
    if found.is_empty() {
        return Err(InvalidTls::new("no certificate in the PEM"));
    }
    Ok(found)
}
