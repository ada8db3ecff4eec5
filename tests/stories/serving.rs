//! The whole way into a server, around tonic and axum on one port: limits, deadlines, panics, bad input.

use crate::http::{self, Answer};
use axum::{Router, routing::get};
use std::{net::SocketAddr, pin::Pin, time::Duration};
use tokio::{net::TcpListener, task::JoinSet, time};
use tonic::{Code, Request, Response, Status, Streaming, service::Routes};
use ziggurat::{
    client::Ziggurat,
    concurrency::{self, ConcurrencyLayer},
    coord::Registry,
    core::{self, Instance, grpc},
    deadline,
    limit::{Rate, RateLimitLayer},
    server::{Lifecycle, ServerLayer},
    trace,
    trust::{self, TrustLayer},
};
use ziggurat_testkit::{
    EchoClient, EchoReply, EchoRequest, EchoServer, PlainClient, bounded,
    proto::echo_server::{Echo, EchoServer as EchoService},
};

/// gRPC and HTTP on one port, until this is dropped.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _server: JoinSet<()>,
}

/// A service with a bug: it panics on some messages.
#[derive(Clone)]
pub(crate) struct Buggy;

/// What makes it panic.
pub(crate) const PANIC: &str = "panic";

type Replies = Pin<Box<dyn futures_core::Stream<Item = Result<EchoReply, Status>> + Send>>;

// === impl Port ===

impl Port {
    /// Serves `router` until it is dropped.
    pub(crate) async fn serve(router: Router) -> Self {
        bounded();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            _server: server,
        }
    }

    pub(crate) async fn client(&self) -> EchoClient<PlainClient> {
        EchoClient::new(PlainClient::connect(self.address).await.unwrap())
    }

    async fn get(&self, path: &str, headers: &str) -> Answer {
        http::get(self.address, path, headers).await
    }
}

// === impl Buggy ===

impl Buggy {
    /// Both kinds of routes, without layers.
    pub(crate) fn router() -> Router {
        Self::grpc().merge(Self::http())
    }

    pub(crate) fn grpc() -> Router {
        Routes::new(EchoService::new(Self)).into_axum_router()
    }

    pub(crate) fn http() -> Router {
        Router::new()
            .route("/hello", get(async || "hello"))
            .route(
                "/panic",
                get(async || if true { panic!("secret") } else { "" }),
            )
            .route("/hang", get(std::future::pending::<String>))
    }
}

#[tonic::async_trait]
impl Echo for Buggy {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        let message = request.into_inner().message;
        assert_ne!(message, PANIC, "secret");
        Ok(Response::new(EchoReply {
            message,
            ..EchoReply::default()
        }))
    }

    /// As many replies as were asked for, and then a panic.
    async fn server_stream(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Replies>, Status> {
        let replies = request.into_inner().repeat;
        let stream = futures_util::stream::unfold(0, move |repeat| async move {
            // One frame each, so that the replies are on their way before the panic.
            time::sleep(Duration::from_millis(1)).await;
            assert_ne!(repeat, replies, "secret");
            Some((
                Ok(EchoReply {
                    repeat,
                    ..EchoReply::default()
                }),
                repeat + 1,
            ))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn client_stream(
        &self,
        _: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn bidi(&self, _: Request<Streaming<EchoRequest>>) -> Result<Response<Replies>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

fn saying(message: &str) -> EchoRequest {
    EchoRequest {
        message: message.to_owned(),
        ..EchoRequest::default()
    }
}

#[tokio::test]
async fn one_limit_is_told_to_both_who_share_a_port_in_their_own_words() {
    let rate = Rate::new(1, Duration::from_secs(10))
        .unwrap()
        .burst(2)
        .unwrap();
    let layer = ServerLayer::internal().rate_limit(RateLimitLayer::new(rate));
    let port = Port::serve(Buggy::router().layer(layer)).await;

    let mut client = port.client().await;
    client.unary(saying("hello")).await.unwrap();
    let hello = port.get("/hello", "").await;
    assert_eq!((hello.status, hello.body.as_str()), (200, "hello"));

    let limited = client.unary(saying("hello")).await.unwrap_err();
    assert_eq!(limited.code(), Code::ResourceExhausted);
    let pushback = limited.metadata().get("grpc-retry-pushback-ms").unwrap();
    let millis: u64 = pushback.to_str().unwrap().parse().unwrap();
    assert!((1..=10_000).contains(&millis), "{millis}");
    let limited = port.get("/hello", "").await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("retry-after"), Some("10"));
}

#[tokio::test]
async fn a_panic_costs_its_own_call_and_no_other_of_the_connection() {
    let lifecycle = Lifecycle::default();
    let layer = ServerLayer::internal().lifecycle(&lifecycle);
    let port = Port::serve(Buggy::router().layer(layer)).await;
    let client = port.client().await;

    let mut other = client.clone();
    let stream = EchoRequest {
        repeat: 200,
        ..EchoRequest::default()
    };
    let mut replies = other.server_stream(stream).await.unwrap().into_inner();
    for _ in 0..5 {
        let status = client.clone().unary(saying(PANIC)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "internal error")
        );
        assert!(replies.message().await.unwrap().is_some());
        let answer = port.get("/panic", "").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (500, "internal error")
        );
    }
    client.clone().unary(saying("hello")).await.unwrap();

    // It panics at its own end, after the head of its answer has long left.
    let status = loop {
        match replies.message().await {
            Ok(reply) => assert!(reply.is_some(), "a stream that broke looks complete"),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    drop(replies);
    while lifecycle.in_flight() > 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn callers_say_how_long_they_wait_and_the_ceiling_has_the_last_word() {
    let settings = deadline::Settings::new(Duration::from_millis(80)).unwrap();
    let settings = settings.at_most(Duration::from_millis(120)).unwrap();
    let layer = ServerLayer::internal()
        .deadline(settings)
        .deadline_header(::http::HeaderName::from_static("x-timeout-ms"));
    let port = Port::serve(Buggy::router().layer(layer)).await;
    // Nobody says anything, somebody says little, somebody says nonsense, somebody says for ever.
    for said in [
        "",
        "1",
        "0",
        "-1",
        "abc",
        "1e3",
        "99999999999999999999999999",
        "3600000",
    ] {
        let headers = format!("x-timeout-ms: {said}\r\n");
        let answer = time::timeout(Duration::from_secs(60), port.get("/hang", &headers)).await;
        assert_eq!(answer.unwrap().status, 504, "{said:?}");
    }
}

#[tokio::test]
async fn no_request_makes_it_panic_whatever_it_says() {
    let settings = deadline::Settings::unbounded()
        .at_most(Duration::from_secs(60))
        .unwrap();
    let layer = ServerLayer::internal().deadline(settings);
    let port = Port::serve(Buggy::router().layer(layer)).await;
    let mut client = port.client().await;
    for timeout in [
        "",
        "n",
        "0n",
        "1",
        "99999999H",
        "999999999S",
        "-1S",
        "1x",
        "18446744073709551616n",
        "é",
    ] {
        let mut request = Request::new(saying("hello"));
        let value = tonic::metadata::AsciiMetadataValue::try_from(timeout.as_bytes());
        request
            .metadata_mut()
            .insert("grpc-timeout", value.unwrap());
        match client.unary(request).await {
            Ok(_) => {}
            // Time that is up is up.
            Err(status) => assert_eq!((status.code(), timeout), (Code::DeadlineExceeded, "0n")),
        }
    }
    for kind in [
        "",
        "/",
        "application/grpc+",
        "application/grpc-web-text+x",
        "\u{e9}",
        ";;;",
    ] {
        let headers = format!("content-type: {kind}\r\n");
        assert_eq!(port.get("/hello", &headers).await.status, 200, "{kind:?}");
    }
    // The routes of tonic answer for what is nowhere.
    let nowhere = port.get("/nowhere", "").await;
    assert_eq!(nowhere.header("grpc-status"), Some("12"));
}

#[tokio::test]
async fn what_a_handler_has_spent_is_not_there_for_its_calls() {
    let backend = EchoServer::start().await;
    let registry = Registry::memory();
    let instance = Instance::at("echo", backend.address()).unwrap();
    let _registration = registry.register(instance).await.unwrap();
    let channel = Ziggurat::new(registry).channel("echo");
    let handler = get(async move || {
        time::sleep(Duration::from_millis(80)).await;
        let called = EchoClient::new(channel).unary(saying("hello")).await;
        called.map_or_else(|status| status.code().to_string(), |_| "called".to_owned())
    });
    let header = ::http::HeaderName::from_static("x-timeout-ms");
    let timeout = deadline::Settings::new(Duration::from_secs(30)).unwrap();
    let layer = ServerLayer::internal()
        .deadline(timeout)
        .deadline_header(header);
    let port = Port::serve(Router::new().route("/", handler).layer(layer)).await;
    // What the caller says, and without a word the server's own.
    for (said, left) in [("x-timeout-ms: 10000\r\n", 9_920), ("", 29_920)] {
        assert_eq!(port.get("/", said).await.body, "called");
        let headers = backend.last_headers().unwrap();
        let timeout = grpc::decode_timeout(&headers["grpc-timeout"]).unwrap();
        assert!(timeout <= Duration::from_millis(left), "{timeout:?}");
        assert!(timeout >= Duration::from_millis(left) / 2, "{timeout:?}");
    }
}

#[tokio::test]
async fn what_a_stranger_says_is_believed_by_nothing_further_in() {
    let said = get(async |headers: ::http::HeaderMap| {
        let trace = trace::current().unwrap();
        let baggage = headers.contains_key("baggage") || trace.baggage().is_some();
        format!("{} {} {baggage}", trace.trace_id(), trace.is_sampled())
    });
    let router = Router::new().route("/", said);
    let headers = "traceparent: 00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01\r\n\
                   baggage: criticality=CRITICAL_PLUS\r\n";
    let settings = trust::Settings::new();
    let edge = ServerLayer::internal().trust(TrustLayer::edge(settings.clone()));
    let any = trust::Peer::at(Some([127, 0, 0, 1].into()));
    let inside = TrustLayer::internal(["127.0.0.0/8".parse().unwrap()], settings);
    let inside = ServerLayer::internal().trust(inside.peer_with(move |_| any));
    for (router, sampled, baggage) in [
        (router.clone().layer(edge), false, false),
        (router.layer(inside), true, true),
    ] {
        let port = Port::serve(router).await;
        let answer = port.get("/", headers).await.body;
        let believed = format!("0190a5c27b1e7c3d9e4f0123456789ab {sampled} {baggage}");
        assert_eq!(answer, believed);
    }
}

#[tokio::test]
async fn who_finds_no_place_is_told_so_and_a_place_that_is_left_is_free() {
    let one = ConcurrencyLayer::new(concurrency::Settings::new(1).unwrap());
    let lifecycle = Lifecycle::default();
    let layer = ServerLayer::internal().lifecycle(&lifecycle);
    let layer = layer.concurrency(one.classify_with(core::Http));
    let port = Port::serve(Buggy::router().layer(layer)).await;
    let mut hanging = JoinSet::new();
    let address = port.address;
    hanging.spawn(async move { http::get(address, "/hang", "").await });
    while lifecycle.in_flight() == 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(port.get("/hello", "").await.status, 429);
    let full = port
        .client()
        .await
        .unary(saying("hello"))
        .await
        .unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted);

    // Its caller goes away.
    hanging.shutdown().await;
    while port.get("/hello", "").await.status != 200 {
        time::sleep(Duration::from_millis(1)).await;
    }
}
