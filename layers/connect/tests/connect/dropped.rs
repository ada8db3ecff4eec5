//! What is dropped half way gives everything back.

use crate::{
    support::{MS, Plain, bounded, call, finish, make, quick, until},
    tls::Authority,
};
use tokio::{io::AsyncReadExt, net::TcpListener};
use tower::service_fn;
use ziggurat_connect::Tls;
use ziggurat_core::{BoxError, Code, Endpoint, Instance, State};
use ziggurat_testkit::{EchoServer, drop_at_every_await};

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_point_gives_its_stream_back() {
    let server = EchoServer::setup().max_concurrent_streams(1).in_memory();
    server.latency(5 * MS);
    let pipes = server.clone();
    let dial = service_fn(move |_: Instance| {
        let pipe = pipes.dial_in_memory();
        async move {
            tokio::time::sleep(MS).await;
            Ok::<_, BoxError>(pipe)
        }
    });
    let address = ([127, 0, 0, 1], 1).into();
    let connection = make(Plain::new(quick()).transport(dial), address).await;
    // The first of them waits for the connection, each for the stream of the one before.
    for _ in 0..20 {
        let ended = drop_at_every_await(|| async { finish(call(&connection).await).await });
        assert_eq!(ended.await.unwrap(), Some(Code::Ok));
    }
    let counts = server.counts();
    assert_eq!((counts.accepted, counts.in_flight), (1, 0), "{counts:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_dropped_while_it_connects_closes_its_socket() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for connector in [Plain::new(quick()), secure()] {
            let connection = make(connector, address).await;
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(socket.read_u8().await.is_ok(), "it says hello");
            drop(connection);
            // To the end of what there was to say.
            let _ = socket.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handshake_of_tls_that_hangs_is_given_up_after_the_timeout() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = quick().connect_timeout(20 * MS).unwrap();
        let connection = make(secure().settings(settings), address).await;
        let _held = listener.accept().await.unwrap();
        until(&connection, State::Down).await;
        let error = call(&connection).await.unwrap_err();
        assert_eq!(crate::support::sent(&error), ziggurat_core::Sent::Never);
        assert!(!connection.availability().is_ready());
    })
    .await;
}

fn secure() -> Plain {
    Plain::new(quick()).tls(Tls::new(Authority::new().roots()).unwrap())
}
