//! Whom to believe, and how to be known, on the way to a Redis: rustls, with ring.

use redis::{ConnectionAddr, ErrorKind, RedisError, RedisResult};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{fmt, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use ziggurat_core::InvalidSetting;

/// TLS 1.2 and 1.3 to a Redis, whose certificate must be for the host of its address.
///
/// # Defaults
///
/// No certificate of our own, which a Redis asks for unless it has `tls-auth-clients no`.
#[derive(Clone)]
pub struct RedisTls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// How a stream to one server becomes safe.
#[derive(Clone)]
pub(super) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

// === impl RedisTls ===

impl RedisTls {
    /// Believes a server whose certificate leads to one of these, in PEM; those of the machine are not
    /// believed, as anybody can get a certificate from them.
    ///
    /// # Errors
    ///
    /// If there is none, or one that cannot be read.
    pub fn new(authorities: impl AsRef<[u8]>) -> Result<Self, InvalidSetting> {
        believing(roots(authorities.as_ref())?)
    }

    /// Believes those too who believe us: shows this certificate, in PEM, and proves it by its private
    /// key.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if certificate and key cannot be read or do not fit.
    pub fn mutual(
        authorities: impl AsRef<[u8]>,
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, InvalidSetting> {
        let chain = certificates("certificate", certificate.as_ref())?;
        let refused = |rule| invalid("key", rule);
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|_| refused("must be a private key in PEM"))?;
        let config = builder(roots(authorities.as_ref())?)?
            .with_client_auth_cert(chain, key)
            .map_err(|_| refused("must be the key of the certificate"))?;
        Ok(Self::from_config(config))
    }

    /// Believes Mozilla's authorities, as of the version of the crate `webpki-roots`: what a Redis of a
    /// cloud may show.
    ///
    /// # Errors
    ///
    /// None that is known of; it is as [`new`](Self::new).
    #[cfg(feature = "tls-webpki-roots")]
    pub fn webpki() -> Result<Self, InvalidSetting> {
        believing(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
    }

    /// Believes the authorities of the system; reads files.
    ///
    /// # Errors
    ///
    /// If it has none.
    #[cfg(feature = "tls-native-roots")]
    pub fn native() -> Result<Self, InvalidSetting> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        believing(store)
    }

    /// A configuration of rustls's own, for what there is no setting of.
    #[must_use]
    pub fn from_config(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
            name: None,
        }
    }

    /// The certificate must be for `name`, a host name or an IP address, instead of for the host of the
    /// address.
    ///
    /// # Errors
    ///
    /// If no certificate can be for it.
    pub fn server_name(mut self, name: &str) -> Result<Self, InvalidSetting> {
        self.name = Some(server_name(name)?);
        Ok(self)
    }

    pub(super) fn handshake(self, host: &str) -> Result<Handshake, InvalidSetting> {
        let name = match self.name {
            Some(name) => name,
            None => server_name(host)?,
        };
        let connector = TlsConnector::from(self.config);
        Ok(Handshake { connector, name })
    }
}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the configuration nothing is shown: it holds the key.
        f.debug_struct("RedisTls")
            .field("server_name", &self.name)
            .finish_non_exhaustive()
    }
}

// === impl Handshake ===

impl Handshake {
    pub(super) async fn connect(&self, to: &ConnectionAddr) -> RedisResult<TlsStream<TcpStream>> {
        let ConnectionAddr::Tcp(host, port) = to else {
            let why = "TLS needs a host";
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, why)));
        };
        let stream = TcpStream::connect((&**host, *port)).await?;
        // Questions are small, and each is waited for.
        stream.set_nodelay(true)?;
        Ok(self.connector.connect(self.name.clone(), stream).await?)
    }
}

fn believing(roots: RootCertStore) -> Result<RedisTls, InvalidSetting> {
    let config = builder(roots)?.with_no_client_auth();
    Ok(RedisTls::from_config(config))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(roots: RootCertStore) -> Result<Builder, InvalidSetting> {
    if roots.is_empty() {
        let rule = "must be there: nobody would be believed";
        return Err(invalid("authorities", rule));
    }
    // The provider is named, for a process may have two, or another default.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| invalid("versions", "must be known to the provider"))?;
    Ok(builder.with_root_certificates(roots))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, InvalidSetting> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("authorities", pem)? {
        let added = store.add(certificate);
        added.map_err(|_| invalid("authorities", "must be certificates"))?;
    }
    Ok(store)
}

fn certificates(
    field: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, InvalidSetting> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| invalid(field, "must be certificates in PEM"))
}

fn server_name(name: &str) -> Result<ServerName<'static>, InvalidSetting> {
    let parsed = ServerName::try_from(name.to_owned());
    let rule = "must be a name that a certificate can be for";
    parsed.map_err(|_| InvalidSetting::new("redis tls", "server_name", name, rule))
}

/// What is no certificate may be the key: nothing is shown.
fn invalid(field: &'static str, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("redis tls", field, "(not shown)", rule)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    /// Believes one certificate that nobody shows.
    pub(in crate::quota) fn config() -> ClientConfig {
        let tls = RedisTls::new(own().0).unwrap();
        ClientConfig::clone(&tls.config)
    }

    fn own() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["redis".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn what_cannot_be_read_or_does_not_fit_is_refused_by_name_and_no_key_is_shown() {
        let ((certificate, key), (_, other)) = (own(), own());
        let field = |tls: Result<RedisTls, InvalidSetting>| {
            let error = tls.unwrap_err();
            assert_eq!(error.value(), "\"(not shown)\"");
            error.field()
        };
        assert_eq!(field(RedisTls::new("")), "authorities");
        assert_eq!(field(RedisTls::new(&key)), "authorities");
        let mutual = |shown: &str, key: &str| RedisTls::mutual(&certificate, shown, key);
        assert_eq!(field(mutual("", &key)), "certificate");
        assert_eq!(field(mutual(&certificate, "")), "key");
        assert_eq!(field(mutual(&certificate, &other)), "key");
        let tls = mutual(&certificate, &key).unwrap();
        assert_eq!(
            tls.clone().server_name("a/b").unwrap_err().value(),
            "\"a/b\""
        );
        assert!(!format!("{tls:?}").contains(&key));
    }
}
