//! Every error that a layer adds, as a generated client sees it: code, message, pushback and cause,
//! bare and wrapped by layers of others.

use std::{
    error::Error,
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat::{
    balance::{BalanceLayer, NoEndpoints},
    breaker::{BreakerLayer, Open},
    connect::{Connector, Undelivered},
    core::{BoxError, Instance, Rejection, error},
    deadline::{self, DeadlineLayer, Exceeded},
    discover::{DiscoverLayer, Fixed},
    limit::{Limited, Rate, RateLimitLayer},
    retry::{self, AttemptTimedOut, AttemptTimeout, RetryLayer},
};
use ziggurat_testkit::{EchoClient, HttpScript, RefusingAddress, Step, Strict, bounded};

use crate::house::hello;

type Inner = Strict<HttpScript>;

fn silent() -> Inner {
    Strict::around(HttpScript::new([Step::never()]))
}

/// A layer of somebody else's, which wraps every error.
#[derive(Clone)]
struct Wrap<S>(S);

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl<S, Req> Service<Req> for Wrap<S>
where
    S: Service<Req, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let future = self.0.call(request);
        Box::pin(async { future.await.map_err(|error| Wrapped(error).into()) })
    }
}

/// Calls `stack` bare, and with three layers of somebody else's around it; the status must say the
/// same, and lead to the cause.
async fn seen<S, B, Cause>(stack: S, code: Code, message: &str) -> Status
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = BoxError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
    Cause: Error + 'static,
{
    let bare = EchoClient::new(stack.clone())
        .unary(hello())
        .await
        .unwrap_err();
    let deep = Wrap(Wrap(Wrap(stack)));
    let wrapped = EchoClient::new(deep).unary(hello()).await.unwrap_err();
    for status in [&bare, &wrapped] {
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(message), "{status:?}");
        assert!(error::find::<Cause>(status).is_some(), "{status:?}");
        assert!(error::find::<Rejection>(status).is_some(), "{status:?}");
        assert_eq!(
            error::code(status).map(|code| i32::from(code.number())),
            Some(code.into())
        );
    }
    wrapped
}

fn pushback(status: &Status) -> Option<u64> {
    let value = status.metadata().get("grpc-retry-pushback-ms")?;
    value.to_str().unwrap().parse().ok()
}

#[tokio::test]
async fn an_open_circuit() {
    bounded();
    let layer = BreakerLayer::default();
    layer.handle().force_open();
    seen::<_, _, Open>(layer.layer(silent()), Code::Unavailable, "circuit open").await;
}

#[tokio::test]
async fn a_rate_limit() {
    bounded();
    let rate = Rate::new(1, Duration::from_secs(60)).unwrap();
    let limit =
        RateLimitLayer::new(rate).layer(Strict::around(HttpScript::new([Step::grpc("ok")])));
    let first = limit
        .clone()
        .oneshot(http::Request::new(Body::empty()))
        .await;
    assert!(first.is_ok());
    let status = seen::<_, _, Limited>(limit, Code::ResourceExhausted, "rate limit").await;
    assert!(pushback(&status).unwrap() > 50_000);
}

#[tokio::test(start_paused = true)]
async fn a_deadline() {
    bounded();
    let settings = deadline::Settings::new(Duration::from_millis(50)).unwrap();
    let stack = DeadlineLayer::new(settings).layer(silent());
    seen::<_, _, Exceeded>(stack, Code::DeadlineExceeded, "50ms").await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_took_too_long() {
    bounded();
    let fixed = AttemptTimeout::Fixed(Duration::from_millis(50));
    let settings = retry::Settings::new().attempt_timeout(fixed).unwrap();
    let stack = RetryLayer::new(settings).layer(silent());
    seen::<_, _, AttemptTimedOut>(stack, Code::DeadlineExceeded, "").await;
}

#[tokio::test]
async fn no_endpoints() {
    bounded();
    let stack = ServiceBuilder::new()
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(Fixed::new([]), "nobody"))
        .service(Connector::default());
    seen::<_, _, NoEndpoints>(stack, Code::Unavailable, "no endpoints for nobody").await;
}

#[tokio::test]
async fn no_endpoint_that_is_ready() {
    bounded();
    let refusing = RefusingAddress::new();
    let instance = Instance::at("down", refusing.address()).unwrap();
    let stack = ServiceBuilder::new()
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(Fixed::new([instance]), "down"))
        .service(Connector::default());
    seen::<_, _, NoEndpoints>(stack, Code::Unavailable, "no ready endpoint for down").await;
}

#[tokio::test]
async fn a_connection_that_is_refused() {
    bounded();
    let refusing = RefusingAddress::new();
    let instance = Instance::at("down", refusing.address()).unwrap();
    let connection = Connector::default().oneshot(instance).await.unwrap();
    seen::<_, _, Undelivered>(connection, Code::Unavailable, "").await;
}

#[tokio::test]
async fn an_open_circuit_behind_a_buffer_does_not_poison_it() {
    bounded();
    let layer = BreakerLayer::default();
    let inner = Strict::around(HttpScript::new([Step::grpc("")]));
    let buffered = ServiceBuilder::new()
        .buffer(8)
        .layer(layer.clone())
        .service(inner);
    let mut client = EchoClient::new(buffered);
    layer.handle().force_open();
    for _ in 0..3 {
        let status = client.unary(hello()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(error::find::<Open>(&status).is_some(), "{status:?}");
    }
    layer.handle().reset();
    client.unary(hello()).await.unwrap();
}
