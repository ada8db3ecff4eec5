//! A healthy echo server, and its sockets.

use http::Request;
use std::{io, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_stream::{self as stream, StreamExt};
use tonic::{Code, body::Body};
use tower::layer::util::Identity;
use tower_layer::layer_fn;
use ziggurat_testkit::{
    Behaviour, Counting, EchoClient, EchoRequest, EchoRoutes, EchoServer, Gauge, PlainClient,
    Setup, assert_clone, assert_send, assert_sync,
};

/// Longer than any machine needs; a test that gets here has failed.
const LONG: Duration = Duration::from_secs(20);

fn say(message: &str) -> EchoRequest {
    EchoRequest {
        message: message.into(),
        ..EchoRequest::default()
    }
}

async fn client(server: &EchoServer) -> EchoClient<PlainClient> {
    EchoClient::new(server.connect().await)
}

#[tokio::test]
async fn all_four_kinds_of_call_are_echoed() {
    let server = EchoServer::setup().name("a").start().await;
    let mut client = client(&server).await;

    let reply = client.unary(say("hello")).await.unwrap().into_inner();
    assert_eq!(
        (reply.message.as_str(), reply.server.as_str()),
        ("hello", "a")
    );

    let request = EchoRequest {
        repeat: 3,
        ..say("again")
    };
    let replies = client.server_stream(request).await.unwrap().into_inner();
    let places: Vec<u32> = replies.map(|reply| reply.unwrap().repeat).collect().await;
    assert_eq!(places, [0, 1, 2]);

    let words = || stream::iter(["a", "b", "c"].map(say));
    let reply = client.client_stream(words()).await.unwrap().into_inner();
    assert_eq!((reply.message.as_str(), reply.repeat), ("a b c", 3));

    let replies = client.bidi(words()).await.unwrap().into_inner();
    let said: Vec<String> = replies.map(|reply| reply.unwrap().message).collect().await;
    assert_eq!(said, ["a", "b", "c"]);

    let counts = server.counts();
    assert_eq!((counts.accepted, counts.connections), (1, 1));
    assert_eq!((counts.arrived, counts.started, counts.finished), (4, 4, 4));
}

#[tokio::test]
async fn an_answer_is_read_to_its_end_when_its_client_is_gone() {
    let server = EchoServer::start().await;
    let mut client = client(&server).await;
    let request = EchoRequest {
        repeat: 50_000,
        ..say("a long answer")
    };
    let replies = client.server_stream(request).await.unwrap().into_inner();
    drop(client);
    assert_eq!(
        replies.filter(Result::is_ok).fold(0, |n, _| n + 1).await,
        50_000
    );
}

#[tokio::test]
async fn headers_are_kept_when_asked() {
    let server = EchoServer::start().await;
    let mut client = client(&server).await;
    client.unary(say("")).await.unwrap();
    assert!(server.recorded().is_empty());
    server.record(true);
    for n in ["1", "2"] {
        let mut request = tonic::Request::new(say(""));
        request.metadata_mut().insert("x-n", n.parse().unwrap());
        client.unary(request).await.unwrap();
    }
    assert_eq!(server.recorded().len(), 2);
    assert_eq!(server.recorded()[0]["x-n"], "1");
    assert_eq!(server.last_headers().unwrap()["x-n"], "2");
}

#[tokio::test]
async fn a_killed_server_resets_its_sockets_and_refuses_new_ones() {
    let server = EchoServer::start().await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let mut client = client(&server).await;
    server.behave(Behaviour::Stall);
    let call = async { client.unary(say("")).await.unwrap_err() };
    let kill = async {
        server.until(|counts| counts.started == 1).await;
        // What the server's preface and SETTINGS left unread does not hide the reset.
        server.kill().await;
    };
    let (status, ()) = timeout(LONG, async { tokio::join!(call, kill) })
        .await
        .unwrap();
    assert_ne!(status.code(), Code::Ok);

    let reset = async {
        let mut byte = [0; 64];
        loop {
            match socket.read(&mut byte).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    };
    assert_eq!(reset.await, Some(io::ErrorKind::ConnectionReset));
    let refused = TcpStream::connect(server.address()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let counts = server.counts();
    assert_eq!(
        (counts.connections, counts.in_flight, counts.dropped),
        (0, 0, 1)
    );
}

#[tokio::test]
async fn a_killed_server_serves_again_on_its_port() {
    let server = EchoServer::start().await;
    let address = server.address();
    client(&server).await.unary(say("")).await.unwrap();
    server.kill().await;
    server.restart().await;
    assert_eq!(server.address(), address);
    client(&server).await.unary(say("")).await.unwrap();
    assert_eq!(server.counts().accepted, 2);
}

#[tokio::test]
async fn a_graceful_end_finishes_the_calls_and_takes_no_more() {
    let server = EchoServer::start().await;
    let plain = server.connect().await;
    let mut client = EchoClient::new(plain.clone());
    server.behave(Behaviour::Slow(Duration::from_millis(50)));
    let call = async { client.unary(say("last")).await };
    let end = async {
        server.until(|counts| counts.started == 1).await;
        server.shutdown_gracefully().await;
    };
    let (reply, ()) = timeout(LONG, async { tokio::join!(call, end) })
        .await
        .unwrap();
    assert_eq!(reply.unwrap().into_inner().message, "last");
    let counts = server.counts();
    assert_eq!((counts.connections, counts.finished), (0, 1));
    assert!(TcpStream::connect(server.address()).await.is_err());
    timeout(LONG, closed(&plain)).await.unwrap();
}

#[tokio::test]
async fn going_away_closes_connections_and_welcomes_new_ones() {
    let server = EchoServer::start().await;
    let plain = server.connect().await;
    EchoClient::new(plain.clone()).unary(say("")).await.unwrap();
    server.go_away();
    timeout(LONG, closed(&plain)).await.unwrap();
    client(&server).await.unary(say("")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_closed_without_a_socket_too() {
    let server = EchoServer::setup()
        .max_connection_age(LONG)
        .max_concurrent_streams(1)
        .in_memory();
    let plain = server.connect_in_memory().await;
    EchoClient::new(plain.clone()).unary(say("")).await.unwrap();
    tokio::time::sleep(LONG / 2).await;
    assert!(!plain.is_closed());
    tokio::time::sleep(LONG).await;
    assert!(plain.is_closed());
    assert_eq!(server.counts().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_limit_is_kept() {
    let server = EchoServer::setup().max_concurrent_streams(1).in_memory();
    let client = EchoClient::new(server.connect_in_memory().await);
    // The limit is known once the first answer is here.
    client.clone().unary(say("")).await.unwrap();
    server.behave(Behaviour::Slow(LONG));
    let start = tokio::time::Instant::now();
    let (mut one, mut other) = (client.clone(), client);
    let (first, second) = tokio::join!(one.unary(say("")), other.unary(say("")));
    first.and(second).unwrap();
    assert_eq!(start.elapsed(), 2 * LONG);
    assert_eq!(server.counts().highest, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_restarted_under_load() {
    let server = EchoServer::start().await;
    for _ in 0..5 {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let mut client = client(&server).await;
            callers.spawn(async move { while client.unary(say("")).await.is_ok() {} });
        }
        let started = server.counts().started;
        server.until(|counts| counts.started > started + 50).await;
        server.kill().await;
        let counts = server.counts();
        assert_eq!((counts.connections, counts.in_flight), (0, 0));
        assert_eq!(counts.started, counts.finished + counts.dropped);
        timeout(LONG, callers.join_all()).await.unwrap();
        server.restart().await;
    }
}

#[tokio::test]
async fn a_layer_of_the_user_stands_around_the_echo() {
    let gauge = Gauge::default();
    let layer = {
        let gauge = gauge.clone();
        layer_fn(move |routes: EchoRoutes| Counting::into_gauge(routes, &gauge))
    };
    let server = EchoServer::setup().layer(layer).start().await;
    let mut client = client(&server).await;
    client.unary(say("")).await.unwrap();
    server.behave_next(1, Behaviour::Fail(Code::NotFound));
    client.unary(say("")).await.unwrap_err();
    assert_eq!(gauge.finished(), 2);
}

#[tokio::test]
async fn a_server_ends_with_its_last_clone() {
    let server = EchoServer::start().await;
    let address = server.address();
    let clone = server.clone();
    let plain = server.connect().await;
    drop(server);
    EchoClient::new(plain.clone()).unary(say("")).await.unwrap();
    drop(clone);
    timeout(LONG, closed(&plain)).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_thousand_calls_leave_nothing_behind() {
    let server = EchoServer::start().await;
    let client = client(&server).await;
    for _ in 0..1_000 {
        client.clone().unary(say("x")).await.unwrap();
    }
    let counts = server.counts();
    assert_eq!((counts.finished, counts.in_flight), (1_000, 0));
}

#[test]
fn handles_go_anywhere() {
    assert_send::<EchoServer>();
    assert_sync::<EchoServer>();
    assert_clone::<EchoServer>();
    assert_send::<Setup<Identity>>();
    fn service<S: tower::Service<Request<Body>> + Clone + Send + Sync>() {}
    service::<PlainClient>();
    service::<EchoRoutes>();
}

/// hyper announces the end of a connection to nobody.
async fn closed(client: &PlainClient) {
    while !client.is_closed() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
