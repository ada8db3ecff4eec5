//! What a peer must prove, and what we prove to it.

use crate::support::{Plain, bounded, call, finish, quick, sent, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::Service;
use ziggurat_connect::{Connection, Identity, NotHttp2, Roots, Tls, Undelivered};
use ziggurat_core::{BoxError, Code, Endpoint, Instance, Sent, State, error};
use ziggurat_testkit::EchoServer;

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Serves TLS on a port of its own.
struct Served {
    address: SocketAddr,
    _server: EchoServer,
    _tasks: JoinSet<()>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::pem(self.0.pem()).unwrap()
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        self.issue_until(name, 4096)
    }

    /// Of no use from this year on.
    fn issue_until(&self, name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.issue(name);
        Identity::pem(certificate.pem(), key.serialize_pem()).unwrap()
    }

    /// A server whose certificate is for `name`, and that may ask clients for theirs.
    async fn serve(&self, name: &str, ask: bool, alpn: &[&[u8]]) -> Served {
        self.serve_with(self.issue(name), ask, alpn).await
    }

    async fn serve_with(
        &self,
        (certificate, key): (rcgen::Certificate, KeyPair),
        ask: bool,
        alpn: &[&[u8]],
    ) -> Served {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if ask {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Served::start(TlsAcceptor::from(Arc::new(config))).await
    }
}

impl Served {
    async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = EchoServer::in_memory();
        let adopts = server.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(socket).await {
                    adopts.adopt(stream);
                }
            }
        });
        Self {
            address,
            _server: server,
            _tasks: tasks,
        }
    }
}

async fn connect(connector: Plain, instance: Instance) -> Connection<crate::support::Bytesful> {
    let mut connector = connector;
    connector.call(instance).await.unwrap()
}

fn echo(address: SocketAddr) -> Instance {
    Instance::at("echo", address).unwrap()
}

/// An instance that answers.
async fn answers(connector: Plain, instance: Instance) {
    let connection = connect(connector, instance).await;
    let ended = finish(call(&connection).await).await.unwrap();
    assert_eq!(ended, Some(Code::Ok));
}

/// An instance that nothing is said to; why.
async fn fails(connector: Plain, instance: Instance) -> BoxError {
    let connection = connect(connector, instance).await;
    let error = call(&connection).await.unwrap_err();
    assert_eq!(sent(&error), Sent::Never);
    until(&connection, State::Down).await;
    assert!(!connection.availability().is_ready());
    error
}

fn cause<E: std::error::Error + Clone + 'static>(error: &BoxError) -> Option<E> {
    let undelivered = error::find::<Undelivered>(&**error)?;
    let cause: &(dyn std::error::Error + 'static) = undelivered.cause()?;
    error::find::<E>(cause).cloned()
}

fn secure(roots: Roots) -> Plain {
    Plain::new(quick()).tls(Tls::new(roots).unwrap())
}

const H2: &[&[u8]] = &[b"h2"];

#[tokio::test]
async fn a_peer_that_proves_to_be_the_service_is_called() {
    bounded(async {
        let authority = Authority::new();
        let server = authority.serve("echo", false, H2).await;
        answers(secure(authority.roots()), echo(server.address)).await;
        let named = Instance::at("echo:443", server.address).unwrap();
        answers(secure(authority.roots()), named).await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_proves_to_be_anybody_else_is_not_whatever_its_registry_says() {
    bounded(async {
        let authority = Authority::new();
        for name in ["127.0.0.1", "thief"] {
            let server = authority.serve(name, false, H2).await;
            let instance = echo(server.address)
                .with_metadata("tls", "off")
                .with_metadata("server_name", name)
                .with_metadata("ziggurat.server_name", name);
            let error = fails(secure(authority.roots()), instance).await;
            assert!(error::find::<ziggurat_core::Rejection>(&*error).is_some());
            // Not even when the registry calls it an instance of the other service.
            let instance = Instance::at(name, server.address).unwrap();
            fails(secure(authority.roots()).service("echo"), instance).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_with_rustlss_error() {
    bounded(async {
        let server = Authority::new().serve("echo", false, H2).await;
        let error = fails(secure(Authority::new().roots()), echo(server.address)).await;
        let undelivered = error::find::<Undelivered>(&*error).unwrap();
        let io = undelivered.cause().unwrap();
        let io = (io as &(dyn std::error::Error + 'static)).downcast_ref::<std::io::Error>();
        let told = io.unwrap().get_ref().unwrap().downcast_ref();
        assert!(matches!(told, Some(rustls::Error::InvalidCertificate(_))));
    })
    .await;
}

#[tokio::test]
async fn a_peer_without_tls_is_not_spoken_to() {
    bounded(async {
        let plain = EchoServer::start().await;
        let roots = Authority::new().roots();
        fails(secure(roots), echo(plain.address())).await;
        assert_eq!(plain.counts().arrived, 0);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_speaks_no_http2_is_named_so() {
    bounded(async {
        let authority = Authority::new();
        let others: [&[&[u8]]; 2] = [&[], &[b"http/1.1"]];
        for alpn in others {
            let server = authority.serve("echo", false, alpn).await;
            let error = fails(secure(authority.roots()), echo(server.address)).await;
            assert!(cause::<NotHttp2>(&error).is_some(), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_proves_nothing() {
    bounded(async {
        let authority = Authority::new();
        let old = authority.issue_until("echo", 2001);
        let server = authority.serve_with(old, false, H2).await;
        let error = fails(secure(authority.roots()), echo(server.address)).await;
        assert!(format!("{error:?}").contains("Expired"), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_for_it_sees_our_certificate() {
    bounded(async {
        let authority = Authority::new();
        let server = authority.serve("echo", true, H2).await;
        fails(secure(authority.roots()), echo(server.address)).await;
        let tls = Tls::mutual(authority.roots(), authority.identity("client")).unwrap();
        answers(Plain::new(quick()).tls(tls), echo(server.address)).await;
        let stranger = Authority::new().identity("client");
        let tls = Tls::mutual(authority.roots(), stranger).unwrap();
        fails(Plain::new(quick()).tls(tls), echo(server.address)).await;
    })
    .await;
}

#[tokio::test]
async fn the_name_to_prove_is_the_users_to_choose_and_the_authority_is_another_matter() {
    bounded(async {
        let authority = Authority::new();
        let server = authority.serve("echo.example", false, H2).await;
        let tls = Tls::new(authority.roots()).unwrap();
        let chosen = tls.clone().server_name("echo.example").unwrap();
        answers(Plain::new(quick()).tls(chosen), echo(server.address)).await;
        let other = http::uri::Authority::from_static("echo.example");
        let connector = Plain::new(quick()).tls(tls).authority(other);
        fails(connector, echo(server.address)).await;
    })
    .await;
}

#[tokio::test]
async fn a_service_that_no_certificate_can_be_for_is_refused_when_it_is_asked_for() {
    let authority = Authority::new();
    let instance = Instance::new("team/echo", "a", "127.0.0.1", 1).unwrap();
    let mut connector = secure(authority.roots());
    let error = connector.call(instance).await.unwrap_err();
    assert!(error.to_string().contains("team/echo"), "{error}");
}

#[test]
fn no_key_is_shown_and_what_does_not_fit_is_told() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("client");
    let secret = key.serialize_pem();
    let identity = Identity::pem(certificate.pem(), &secret).unwrap();
    let tls = Tls::mutual(authority.roots(), identity.clone()).unwrap();
    let connector = Plain::new(quick()).tls(tls.clone());
    let line = secret.lines().nth(1).unwrap();
    for shown in [
        format!("{identity:?}"),
        format!("{tls:?}"),
        format!("{connector:?}"),
    ] {
        assert!(
            !shown.contains(line) && !shown.contains("PrivateKey"),
            "{shown}"
        );
        assert!(shown.len() < 1_000, "{shown}");
    }
    let (_, other) = authority.issue("client");
    let misfit = Identity::pem(certificate.pem(), other.serialize_pem()).unwrap();
    Tls::mutual(authority.roots(), misfit).unwrap_err();
    Identity::pem(certificate.pem(), "no key").unwrap_err();
    Identity::pem("no certificate", &secret).unwrap_err();
    Roots::pem("").unwrap_err();
}
