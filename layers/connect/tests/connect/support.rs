//! What the tests share.

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tower::{Service, ServiceExt};
use ziggurat_connect::{Body, Connection, Connector, Settings};
use ziggurat_core::{
    Backoff, BoxError, Code, Endpoint, Instance, Rejection, Sent, State, clock, error, grpc,
};

pub(crate) type Bytesful = Full<Bytes>;
pub(crate) type Plain = Connector<Bytesful>;
pub(crate) type Answer = Result<Response<Body>, BoxError>;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// No test of sockets takes longer, unless it hangs.
pub(crate) async fn bounded<T>(test: impl Future<Output = T>) -> T {
    let seconds = Duration::from_secs(30);
    tokio::time::timeout(seconds, test).await.expect("it hangs")
}

/// 20 ms, doubled up to a second, without jitter; never a second connection.
pub(crate) fn quick() -> Settings {
    let backoff = Backoff::new(20 * MS, 2.0, 1_000 * MS).unwrap();
    let settings = Settings::default().backoff(backoff.jitter(0.0).unwrap());
    settings.more_connections(0).unwrap()
}

pub(crate) async fn connect(address: SocketAddr) -> Connection<Bytesful> {
    make(Plain::new(quick()), address).await
}

pub(crate) async fn make<B>(mut connector: Connector<B>, address: SocketAddr) -> Connection<B>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let instance = Instance::at("echo", address).unwrap();
    connector
        .ready()
        .await
        .unwrap()
        .call(instance)
        .await
        .unwrap()
}

/// A message of the echo service: none of its fields set.
pub(crate) fn request() -> Request<Bytesful> {
    Request::post("/echo.v1.Echo/Unary")
        .header(CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .body(Full::from(vec![0; 5]))
        .unwrap()
}

pub(crate) async fn call(connection: &Connection<Bytesful>) -> Answer {
    connection.clone().oneshot(request()).await
}

/// Reads an answer to its end: the gRPC status.
pub(crate) async fn finish(answer: Answer) -> Result<Option<Code>, BoxError> {
    let (head, body) = answer?.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().and_then(grpc::status);
    Ok(trailers.or_else(|| grpc::status(&head.headers)))
}

/// How far a call got that failed.
pub(crate) fn sent(error: &BoxError) -> Sent {
    let rejection = error::find::<Rejection>(&**error).expect("every error says how far");
    assert_eq!(rejection.code(), Code::Unavailable, "{rejection:?}");
    assert!(!rejection.is_decision());
    rejection.sent()
}

pub(crate) async fn until<E: Endpoint>(endpoint: &E, state: State) {
    let changed = Arc::new(Notify::new());
    endpoint.availability().listen(&changed);
    loop {
        let heard = changed.notified();
        if endpoint.availability().state() == state {
            return;
        }
        heard.await;
    }
}

/// Lets so much virtual time pass, and sockets work in between.
///
/// The runtime never idles meanwhile, so that time does not jump ahead of what is on its way.
pub(crate) async fn pass(time: Duration, step: Duration) {
    let end = clock::now() + time;
    while clock::now() < end {
        tokio::time::advance(step).await;
        for _ in 0..24 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits for what no one announces.
pub(crate) async fn eventually(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(MS).await;
    }
}
