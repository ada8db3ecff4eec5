//! The way in: the server's layers around a tonic server and around an axum router, over sockets.

use axum::{Router, routing::get};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::{ServiceBuilder, ServiceExt};
use ziggurat::{
    answer::AnswerLayer,
    client::Ziggurat,
    coord::Registry,
    core::{Deadline, Instance, clock},
    deadline::{self, DeadlineLayer},
    limit::{Rate, RateLimitLayer},
    trace::{self, TraceLayer},
    trust::{self, TrustLayer},
};
use ziggurat_testkit::{
    Behaviour, EchoClient, EchoHandler, EchoRequest, EchoServer, bounded, proto::echo_server,
};

/// Two requests at once, and one more every ten seconds.
fn rate() -> Rate {
    Rate::new(1, Duration::from_secs(10))
        .unwrap()
        .burst(2)
        .unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn plain_client(address: SocketAddr) -> EchoClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    EchoClient::new(endpoint.connect().await.unwrap())
}

/// Sends a GET with these header lines, and returns the whole answer.
async fn get_http(address: SocketAddr, headers: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_tonic_server_answers_what_its_layers_reject() {
    bounded();
    let (listener, address) = listen().await;
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::server())
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server())
        .layer(RateLimitLayer::new(rate()));
    let echo = echo_server::EchoServer::new(EchoHandler::new("echo"));
    let server = Server::builder().layer(layers).add_service(echo);
    let mut tasks = JoinSet::new();
    tasks.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    // Every connection gets clones of one layer value: the limit is the server's.
    for _ in 0..2 {
        plain_client(address)
            .await
            .unary(EchoRequest::default())
            .await
            .unwrap();
    }
    let limited = plain_client(address)
        .await
        .unary(EchoRequest::default())
        .await
        .unwrap_err();
    assert_eq!(limited.code(), Code::ResourceExhausted);
    let pushback = limited.metadata().get("grpc-retry-pushback-ms").unwrap();
    let millis: u64 = pushback.to_str().unwrap().parse().unwrap();
    assert!((1..=10_000).contains(&millis));
}

#[tokio::test]
async fn a_server_answers_its_callers_deadline_before_tonics_own_timer() {
    bounded();
    let layers = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server());
    let server = EchoServer::setup().layer(layers).start().await;
    server.behave(Behaviour::Stall);
    for _ in 0..20 {
        let mut client = EchoClient::new(server.connect().await);
        let mut request = Request::new(EchoRequest::default());
        request.set_timeout(Duration::from_millis(20));
        let status = client.unary(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    }
    server.until(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn an_axum_router_answers_what_its_layers_reject() {
    bounded();
    let (listener, address) = listen().await;
    let timeout = deadline::Settings::new(Duration::from_millis(200)).unwrap();
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::server())
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server().settings(timeout))
        .layer(RateLimitLayer::new(rate()));
    let handler = get(async || {
        let trace = trace::current().unwrap().trace_id().to_string();
        let left = deadline::current().map(|deadline: Deadline| deadline.remaining(clock::now()));
        assert!(left.unwrap() <= Duration::from_millis(200));
        trace
    });
    let router = Router::new()
        .route("/", handler)
        .route("/slow", get(std::future::pending::<String>))
        .layer(layers);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });

    let parent = "traceparent: 00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01\r\n";
    let answer = get_http(address, parent).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.ends_with("0190a5c27b1e7c3d9e4f0123456789ab"),
        "{answer}"
    );
    get_http(address, "").await;
    let limited = get_http(address, "").await;
    assert!(limited.starts_with("HTTP/1.1 429"), "{limited}");
    assert!(limited.contains("retry-after: 10\r\n"), "{limited}");
}

#[tokio::test]
async fn a_handlers_calls_carry_the_deadline_and_the_trace_that_it_serves() {
    bounded();
    let backend = EchoServer::start().await;
    let registry = Registry::memory();
    let instance = Instance::at("echo", backend.address()).unwrap();
    let _registration = registry.register(instance).await.unwrap();
    let channel = Ziggurat::new(registry).channel("echo");

    let (listener, address) = listen().await;
    let timeout = deadline::Settings::new(Duration::from_secs(1)).unwrap();
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::server())
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server().settings(timeout));
    let handler = get(async move || {
        let reply = EchoClient::new(channel).unary(EchoRequest::default()).await;
        reply.map_or_else(|status| status.to_string(), |_| "called".to_owned())
    });
    let router = Router::new().route("/", handler).layer(layers);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });

    let parent = "traceparent: 00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01\r\n";
    let answer = get_http(address, parent).await;
    assert!(answer.ends_with("called"), "{answer}");
    let seen = backend.last_headers().unwrap();
    let sent = seen["traceparent"].to_str().unwrap();
    assert!(
        sent.starts_with("00-0190a5c27b1e7c3d9e4f0123456789ab-"),
        "{sent}"
    );
    assert!(
        !sent.contains("00f067aa0ba902b7"),
        "a step of its own: {sent}"
    );
    let timeout = ziggurat::core::grpc::decode_timeout(&seen["grpc-timeout"]).unwrap();
    assert!(timeout <= Duration::from_secs(1), "{timeout:?}");
}

#[tokio::test(start_paused = true)]
async fn three_hundred_milliseconds_are_one_second_over_http_and_exact_over_grpc() {
    bounded();
    let rate = Rate::new(10, Duration::from_secs(3)).unwrap().burst(1);
    let layers = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .layer(TrustLayer::edge(trust::Settings::new()))
        .layer(RateLimitLayer::new(rate.unwrap()));
    let service = layers.service(Router::new().route("/", get(|| async { "fine" })));
    let ask = |content_type: &'static str| {
        let request = http::Request::builder().header("content-type", content_type);
        let request = request.body(axum::body::Body::empty()).unwrap();
        service.clone().oneshot(request)
    };
    assert_eq!(ask("text/plain").await.unwrap().status(), 200);
    let plain = ask("text/plain").await.unwrap();
    assert_eq!(
        (plain.status().as_u16(), &plain.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    let grpc = ask("application/grpc").await.unwrap();
    assert_eq!(grpc.status(), 200);
    assert_eq!(grpc.headers()["grpc-status"], "8");
    assert_eq!(grpc.headers()["grpc-retry-pushback-ms"], "300");
}
