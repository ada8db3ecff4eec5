//! How a channel gets to its endpoints, and leaves them.

use crate::house::{House, hello};
use std::time::Duration;
use tonic::transport;
use tower::{ServiceBuilder, service_fn};
use ziggurat::{
    balance::{BalanceLayer, ForeignEndpoint},
    client::{ChannelSettings, Ziggurat},
    connect::Connector,
    core::{BoxError, Instance},
    discover::{DiscoverLayer, Fixed},
};
use ziggurat_testkit::{Behaviour, EchoClient, EchoRequest, EchoServer, bounded};

const SECOND: Duration = Duration::from_secs(1);

fn instance(server: &EchoServer) -> Instance {
    Instance::at("echo", server.address()).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_connected_when_it_comes_and_closed_when_it_goes_without_a_call() {
    let house = House::of(1).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    client.unary(hello()).await.unwrap();
    let other = EchoServer::start().await;
    let registration = house.registry.register(instance(&other)).await.unwrap();
    let came = other.until(|counts| counts.connections == 1);
    tokio::time::timeout(SECOND, came).await.unwrap();
    registration.deregister().await.unwrap();
    other.until(|counts| counts.connections == 0).await;
    assert_eq!(other.counts().arrived, 0);
}

#[tokio::test]
async fn a_removed_endpoint_finishes_what_it_has_and_then_closes() {
    let mut house = House::of(0).await;
    let leaving = EchoServer::setup().name("leaving").start().await;
    let registration = house.registry.register(instance(&leaving)).await.unwrap();
    let channel = house.ziggurat().channel("echo");

    let mut client = EchoClient::new(channel.clone());
    leaving.behave_next(1, Behaviour::StallBody);
    let endless = EchoRequest {
        message: "hello".to_owned(),
        repeat: 3,
        ..EchoRequest::default()
    };
    let mut stream = client.server_stream(endless).await.unwrap().into_inner();
    leaving.behave_next(1, Behaviour::Slow(2 * SECOND));
    let mut other = client.clone();
    let unary = other.unary(hello());
    let remove = async {
        leaving.until(|counts| counts.in_flight == 2).await;
        house.join().await;
        registration.deregister().await.unwrap();
        // What comes now goes to the other.
        while house.arrived()[0] == 0 {
            client.unary(hello()).await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(unary, remove);
    assert_eq!(answer.unwrap().into_inner().server, "leaving");
    let waits = tokio::time::timeout(Duration::from_millis(100), stream.message());
    assert!(waits.await.is_err(), "the open stream was ended");
    assert_eq!(leaving.counts().connections, 1);
    drop(stream);
    leaving.until(|counts| counts.connections == 0).await;
}

#[tokio::test]
async fn a_channel_takes_a_transport_of_the_users_own() {
    bounded();
    let server = EchoServer::in_memory();
    let pipes = server.clone();
    let dial = service_fn(move |_: Instance| {
        let pipe = pipes.dial_in_memory();
        async move { Ok::<_, BoxError>(pipe) }
    });
    let nowhere = Instance::new("echo", "a", "nowhere.invalid", 1).unwrap();
    let settings = ChannelSettings::new().transport(dial);
    let ziggurat = Ziggurat::new(Fixed::new([nowhere])).settings(settings);
    let mut client = EchoClient::new(ziggurat.channel("echo"));
    client.unary(hello()).await.unwrap();
    assert_eq!(server.counts().accepted, 1);
}

#[tokio::test]
async fn a_channel_of_tonics_is_an_endpoint_by_a_connector_of_the_users_own() {
    let house = House::of(2).await;
    let connector = service_fn(|instance: Instance| async move {
        let uri = format!("http://{}", instance.authority());
        let channel = transport::Endpoint::from_shared(uri)?.connect_lazy();
        let endpoint = ForeignEndpoint::new(instance.id().clone(), channel);
        Ok::<_, transport::Error>(endpoint)
    });
    let stack = ServiceBuilder::new()
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .service(connector);
    let mut client = EchoClient::new(stack);
    for _ in 0..40 {
        client.unary(hello()).await.unwrap();
    }
    assert_eq!(house.arrived().iter().sum::<u64>(), 40);
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_at_a_unix_socket_is_called_by_its_name() {
    bounded();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("echo.sock").display().to_string();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let local = Instance::unix("echo", "local", &path).unwrap();
    let stack = ServiceBuilder::new()
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(Fixed::new([local]), "echo"))
        .service(Connector::default());
    let server = EchoServer::in_memory();
    let mut client = EchoClient::new(stack);
    let serve = async { server.adopt(listener.accept().await.unwrap().0) };
    let (reply, ()) = tokio::join!(client.unary(hello()), serve);
    reply.unwrap();
}

/// A certificate for `name`, and its server.
#[cfg(feature = "tls")]
async fn secure(name: &str) -> (String, EchoServer, Instance, tokio::task::JoinSet<()>) {
    use rustls::{crypto::ring, pki_types::PrivatePkcs8KeyDer};
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut config = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Instance::at("echo", listener.local_addr().unwrap()).unwrap();
    let server = EchoServer::in_memory();
    let adopts = server.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            if let Ok(stream) = acceptor.accept(listener.accept().await.unwrap().0).await {
                adopts.adopt(stream);
            }
        }
    });
    (cert.pem(), server, at, tasks)
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_channel_of_tls_speaks_to_whom_is_the_service_and_to_nobody_else() {
    bounded();
    use ziggurat::connect::{Roots, Tls};
    for (name, believed) in [("echo", true), ("thief", false)] {
        let (pem, server, at, _tasks) = secure(name).await;
        let registry = ziggurat::coord::Registry::memory();
        let at = at
            .with_metadata("tls", "off")
            .with_metadata("server_name", name);
        let _registration = registry.register(at).await.unwrap();
        let tls = Tls::new(Roots::pem(pem).unwrap()).unwrap();
        let settings = ChannelSettings::new().tls(tls);
        let ziggurat = Ziggurat::new(registry).settings(settings);
        let mut client = EchoClient::new(ziggurat.channel("echo"));
        let mut request = hello();
        request.set_timeout(SECOND);
        let answered = client.unary(request).await;
        assert_eq!(answered.is_ok(), believed, "{answered:?}");
        assert_eq!(server.counts().arrived, usize::from(believed));
    }
}
