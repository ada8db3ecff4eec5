//! Whom to trust, and how to be known, on the way to a cluster.

use super::secret::Secret;
use etcd_client::{Certificate, Identity, TlsOptions};
use std::fmt;
use ziggurat_core::InvalidSetting;

/// TLS to the members of a cluster.
///
/// Only the given authority is trusted; those of the machine are not, as anybody can get a
/// certificate from them.
#[derive(Clone)]
pub struct EtcdTls {
    authority: Vec<u8>,
    identity: Option<(Vec<u8>, Secret)>,
    server_name: Option<String>,
}

// === impl EtcdTls ===

impl EtcdTls {
    /// Trusts members whose certificate was signed by this authority, in PEM.
    ///
    /// # Errors
    ///
    /// If there is no certificate in it.
    pub fn new(authority: impl Into<Vec<u8>>) -> Result<Self, InvalidSetting> {
        let authority = authority.into();
        certificate("authority", &authority)?;
        Ok(Self {
            authority,
            identity: None,
            server_name: None,
        })
    }

    /// Shows this certificate to the members, in PEM, and proves it by its private key.
    ///
    /// # Errors
    ///
    /// If there is no certificate, or no private key, in them.
    pub fn identity(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key: impl Into<Secret>,
    ) -> Result<Self, InvalidSetting> {
        let (shown, key) = (certificate_pem.into(), key.into());
        certificate("certificate", &shown)?;
        if !key.expose().contains("PRIVATE KEY-----") {
            let rule = "must be a private key in PEM";
            return Err(InvalidSetting::new("etcd tls", "key", key, rule));
        }
        self.identity = Some((shown, key));
        Ok(self)
    }

    /// Expects the members' certificates to be for this name, whatever their URLs say.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    pub(super) fn options(&self) -> TlsOptions {
        let authority = Certificate::from_pem(&self.authority);
        let mut options = TlsOptions::new().ca_certificate(authority);
        if let Some((certificate, key)) = &self.identity {
            options = options.identity(Identity::from_pem(certificate, key.expose()));
        }
        if let Some(name) = &self.server_name {
            options = options.domain_name(name);
        }
        options
    }
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdTls")
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn certificate(field: &'static str, pem: &[u8]) -> Result<(), InvalidSetting> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    if pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Ok(());
    }
    // What is not a certificate may be the key.
    let value = format!("{} bytes", pem.len());
    let rule = "must be a certificate in PEM";
    Err(InvalidSetting::new("etcd tls", field, value, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nhunter2";

    #[test]
    fn what_is_no_pem_is_refused_and_no_key_is_shown() {
        assert_eq!(EtcdTls::new(KEY).unwrap_err().field(), "authority");
        let tls = || EtcdTls::new(CERTIFICATE).unwrap();
        assert_eq!(tls().identity("", KEY).unwrap_err().field(), "certificate");
        let error = tls().identity(CERTIFICATE, "hunter2").unwrap_err();
        assert_eq!((error.field(), error.value()), ("key", "Secret"));
        let tls = tls().identity(CERTIFICATE, KEY).unwrap();
        assert!(!format!("{tls:?}").contains("hunter2"));
    }
}
