//! TLS by rustls, with ring: whom to believe, who we are, and what the peer must prove.

mod identity;
mod invalid;
mod roots;

pub use self::{identity::Identity, invalid::InvalidTls, roots::Roots};

use crate::{
    error::NotHttp2,
    road::{Secure, Stream},
};
use rustls::{AlertDescription, ClientConfig, crypto::ring, pki_types::ServerName};
use std::{fmt, io, sync::Arc};
use tokio_rustls::TlsConnector;
use ziggurat_core::BoxError;

/// TLS 1.2 and 1.3 to every instance of a service.
///
/// A server proves to be the *service*: its certificate must be for the service's name, whatever
/// address a registry gives. Nothing that a registry says turns TLS off or changes that name.
///
/// ALPN offers `h2` alone; a peer that does not take it is [`NotHttp2`](crate::NotHttp2).
///
/// # Defaults
///
/// No client certificate; the name of the service as the server's name.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    identified: bool,
}

const H2: &[u8] = b"h2";

// === impl Tls ===

impl Tls {
    /// Believes certificates that lead to one of `roots`.
    ///
    /// # Errors
    ///
    /// If there are none: nobody could be believed.
    pub fn new(roots: Roots) -> Result<Self, InvalidTls> {
        let config = builder(roots)?.with_no_client_auth();
        Ok(Self::from_config(config))
    }

    /// As [`new`](Self::new), and shows `identity` to servers that ask for a certificate.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the key does not belong to the certificate.
    pub fn mutual(roots: Roots, identity: Identity) -> Result<Self, InvalidTls> {
        let (chain, key) = identity.into_parts();
        let config = builder(roots)?.with_client_auth_cert(chain, key);
        let config = config.map_err(|e| InvalidTls::because("the identity does not fit", e))?;
        let identified = true;
        Ok(Self {
            identified,
            ..Self::from_config(config)
        })
    }

    /// A configuration of rustls's own, for what there is no setting of: another provider, keys in
    /// hardware, certificates that are renewed. Its ALPN becomes `h2`.
    #[must_use]
    pub fn from_config(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![H2.to_vec()];
        Self {
            identified: config.client_auth_cert_resolver.has_certs(),
            config: Arc::new(config),
            name: None,
        }
    }

    /// Certificates must be for `name`, a host name or an IP address, instead of for the service.
    ///
    /// # Errors
    ///
    /// If no certificate can be for it.
    pub fn server_name(mut self, name: &str) -> Result<Self, InvalidTls> {
        self.name = Some(server_name(name)?);
        Ok(self)
    }

    /// How streams to `service` become safe.
    pub(crate) fn for_service(&self, service: &str) -> Result<Secure, BoxError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(host(service))?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Ok(Box::new(move |stream| {
            let (connector, name) = (connector.clone(), name.clone());
            Box::pin(async move { handshake(connector, name, stream).await })
        }))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the configuration nothing is shown: it holds the key.
        f.debug_struct("Tls")
            .field("server_name", &self.name)
            .field("identified", &self.identified)
            .finish_non_exhaustive()
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(roots: Roots) -> Result<Builder, InvalidTls> {
    let store = roots.into_store();
    if store.is_empty() {
        return Err(InvalidTls::new("no root certificate: nobody is believed"));
    }
    // The provider is named, for a process may have two, or another default.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidTls::because("no protocol version", error))?;
    Ok(builder.with_root_certificates(store))
}

async fn handshake(
    connector: TlsConnector,
    name: ServerName<'static>,
    stream: Stream,
) -> Result<Stream, BoxError> {
    let connected = connector.connect(name, stream).await;
    let stream = connected.map_err(refusal)?;
    match stream.get_ref().1.alpn_protocol() {
        Some(H2) => Ok(Box::new(stream)),
        other => Err(NotHttp2::instead(other).into()),
    }
}

/// A server that asks for another protocol ends the handshake (RFC 7301, 3.2).
fn refusal(error: io::Error) -> BoxError {
    let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    let told = error.get_ref().and_then(|e| e.downcast_ref());
    if told == Some(&alert) {
        return NotHttp2::instead(None).into();
    }
    error.into()
}

fn server_name(name: &str) -> Result<ServerName<'static>, InvalidTls> {
    let parsed = ServerName::try_from(name.to_owned());
    parsed.map_err(|_| InvalidTls::new(format!("no certificate can be for {name:?}")))
}

/// The host of `host` or `host:port`.
fn host(service: &str) -> &str {
    match service.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains(':') => host,
        _ => service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_must_be_proven_has_no_port() {
        for (service, name) in [
            ("user-service", "user-service"),
            ("user.example:443", "user.example"),
            ("::1", "::1"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(host(service), name);
        }
        assert!(server_name("team/echo").is_err());
    }

    #[test]
    fn who_believes_nobody_is_told_at_once() {
        let error = Tls::new(Roots::none()).unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }
}
