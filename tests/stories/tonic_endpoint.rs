//! A tonic `Channel` as an endpoint: what it says of itself is not taken for what its caller did.

use http::{Request, Response};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    future::{Pending, pending},
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
    task::{Context, Poll},
    time::Duration,
};
use tonic::{
    Code,
    body::Body,
    server::NamedService,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::{Layer, Service, ServiceExt, discover::ServiceList};
use ziggurat::{
    balance::{BalanceLayer, Foreign},
    breaker::{self, BreakerLayer, Open},
    core::{Carry, Classify, Deadline, Grpc, Outcome, Record, Recorder, error},
    deadline::{self, DeadlineLayer, Exceeded},
};
use ziggurat_testkit::{
    Act, Behaviour, EchoClient, EchoRequest, EchoServer, RawH2, RawScript, bounded,
};

const SHORT: Duration = Duration::from_millis(60);

struct Tell(mpsc::Sender<Outcome>);

impl Record for Tell {
    fn settle(self, outcome: Outcome) {
        self.0.send(outcome).unwrap();
    }
}

/// Never answers.
#[derive(Clone)]
struct Hangs;

impl NamedService for Hangs {
    const NAME: &'static str = "echo.v1.Echo";
}

impl Service<Request<Body>> for Hangs {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pending<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        pending()
    }
}

/// A tonic server that hangs, until its own timer answers CANCELLED. It ends with the set.
fn hanging_server() -> (SocketAddr, tokio::task::JoinSet<()>) {
    let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let server = Server::builder().timeout(SHORT).add_service(Hangs);
        server.serve_with_incoming(incoming).await.unwrap();
    });
    (address, tasks)
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).unwrap()
}

fn request() -> Request<Body> {
    let message = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
    Request::post("/echo.v1.Echo/Unary")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(message))
        .unwrap()
}

/// How a call to this channel counts that is read to its end, or dropped after a while.
async fn outcome(channel: Channel, request: Request<Body>, drops: bool) -> Outcome {
    let (tell, told) = mpsc::channel();
    let recorder = Recorder::new(Tell(tell), Grpc.deadline(&request));
    let call = async {
        let result = channel.oneshot(request).await.map_err(Into::into);
        if let Ok(response) = Grpc.observe(result, recorder) {
            let _ = response.into_body().collect().await;
        }
    };
    if drops {
        drop(tokio::time::timeout(SHORT, call).await);
    } else {
        call.await;
    }
    told.iter().next().unwrap()
}

#[tokio::test]
async fn tonics_own_timeout_is_a_timeout() {
    bounded();
    let server = EchoServer::start().await;
    server.behave(Behaviour::Stall);
    let channel = endpoint(server.address()).timeout(SHORT).connect_lazy();
    assert_eq!(outcome(channel, request(), false).await, Outcome::Timeout);
    let channel = endpoint(server.address()).connect_lazy();
    let mut request = request();
    request
        .headers_mut()
        .insert("grpc-timeout", "60m".parse().unwrap());
    assert_eq!(outcome(channel, request, false).await, Outcome::Timeout);
}

#[tokio::test]
async fn a_connection_that_goes_away_under_tonic_is_a_failure() {
    bounded();
    for code in 0..=13 {
        let go_away = Act::GoAway {
            last_stream: 0,
            code,
        };
        for act in [go_away, Act::ResetAll(code)] {
            let script = RawScript::new().after(1, act).then(Act::Cut);
            let server = RawH2::serve(script).await;
            let channel = endpoint(server.address()).connect_lazy();
            let outcome = outcome(channel, request(), false).await;
            assert_eq!(outcome, Outcome::Failure, "{act:?}");
        }
    }
}

#[tokio::test]
async fn only_who_drops_a_call_has_cancelled_it() {
    bounded();
    let server = EchoServer::start().await;
    for behaviour in [Behaviour::Stall, Behaviour::StallBody] {
        server.behave(behaviour);
        let channel = endpoint(server.address()).connect_lazy();
        assert_eq!(outcome(channel, request(), true).await, Outcome::Cancelled);
    }
}

#[tokio::test]
async fn cancelled_by_the_timer_of_a_tonic_server_is_a_failure_and_late_a_timeout() {
    bounded();
    let (address, _server) = hanging_server();
    let channel = endpoint(address).connect_lazy();
    let outcome_of = |request| outcome(channel.clone(), request, false);
    assert_eq!(outcome_of(request()).await, Outcome::Failure);
    // Whoever watches knows the deadline, and nobody keeps it before the server does.
    let mut late = request();
    late.extensions_mut().insert(Deadline::after(SHORT / 2));
    assert_eq!(outcome_of(late).await, Outcome::Timeout);
}

#[tokio::test]
async fn a_tonic_server_that_hangs_for_everybody_opens_the_circuit() {
    bounded();
    let (address, _server) = hanging_server();
    let channels = ServiceList::new([endpoint(address).connect_lazy()]);
    let settings = breaker::Settings::new().consecutive_failures(3).unwrap();
    let balance = BalanceLayer::p2c().layer(Foreign::new("echo", channels));
    let stack = BreakerLayer::new(settings).layer(balance);
    for _ in 0..3 {
        let response = stack.clone().oneshot(request()).await.unwrap();
        let status = response.headers().get("grpc-status");
        assert_eq!(status.unwrap(), "1", "CANCELLED");
    }
    let error = stack.oneshot(request()).await.unwrap_err();
    assert!(error::find::<Open>(&*error).is_some(), "{error}");
}

#[tokio::test]
async fn a_deadline_around_a_channel_of_tonics_is_told_as_one() {
    bounded();
    let server = EchoServer::start().await;
    server.behave(Behaviour::Stall);
    let channel = endpoint(server.address()).connect_lazy();
    let settings = deadline::Settings::new(SHORT).unwrap();
    let mut client = EchoClient::new(DeadlineLayer::new(settings).layer(channel));
    for _ in 0..10 {
        // Both have the same time, and tonic's timer answers CANCELLED.
        let status = client.unary(EchoRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        let error = error::find::<Exceeded>(&status).unwrap();
        assert!(error.after() >= SHORT);
    }
}
