//! What the tests have in common.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{Backoff, BoxError, CallOptions, Grpc};
use ziggurat_retry::{Observer, ReplayBody, Retry, RetryLayer, Settings, Why};
use ziggurat_testkit::{HttpScript, ScriptBody, Step};

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) type Answer = Step<Response<ScriptBody>>;
pub(crate) type Call = Request<Full<Bytes>>;

pub(crate) fn steady(initial: Duration) -> Backoff {
    let backoff = Backoff::new(initial, 2.0, Duration::from_secs(5)).unwrap();
    backoff.jitter(0.0).unwrap()
}

/// 100 ms, 200 ms, ... and attempts enough.
pub(crate) fn settings() -> Settings {
    Settings::new()
        .backoff(steady(100 * MS))
        .attempts(NonZeroU32::new(5).unwrap())
}

pub(crate) fn post() -> Call {
    let request = Request::post("http://shop/shop.Cart/Get");
    request.body(Full::from("0123456789")).unwrap()
}

pub(crate) fn with(mut request: Call, options: CallOptions) -> Call {
    request.extensions_mut().insert(options);
    request
}

pub(crate) fn idempotent() -> Call {
    with(post(), CallOptions::new().idempotent(true))
}

pub(crate) fn timeout(timeout: Duration) -> CallOptions {
    CallOptions::new().timeout(timeout)
}

pub(crate) fn script(steps: impl IntoIterator<Item = Answer>) -> HttpScript {
    HttpScript::new(steps).reading_bodies()
}

pub(crate) fn retry(inner: &HttpScript) -> Retry<HttpScript, Grpc> {
    RetryLayer::new(settings()).layer(inner.clone())
}

/// Calls, and tells how long that took on the paused clock.
pub(crate) async fn timed<S, Req>(
    service: S,
    request: Req,
) -> (Result<S::Response, S::Error>, Duration)
where
    S: Service<Req>,
{
    let began = Instant::now();
    let result = service.oneshot(request).await;
    (result, began.elapsed())
}

pub(crate) async fn ready<S: Service<Call, Error = BoxError>>(service: &mut S) -> &mut S {
    service.ready().await.unwrap()
}

pub(crate) fn status<B>(response: &Response<B>) -> &str {
    let status = response.headers().get("grpc-status");
    status.map_or("", |status| status.to_str().unwrap())
}

/// A service of HTTP requests from a function of the attempt's request.
pub(crate) fn server<F, Fut>(
    serve: F,
) -> impl Service<
    Request<ReplayBody<Full<Bytes>>>,
    Response = Response<ScriptBody>,
    Error = BoxError,
    Future = Fut,
> + Clone
where
    F: Fn(Request<ReplayBody<Full<Bytes>>>) -> Fut + Clone,
    Fut: Future<Output = Result<Response<ScriptBody>, BoxError>>,
{
    tower::service_fn(serve)
}

pub(crate) fn answer(status: &str) -> Response<ScriptBody> {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", status);
    response.body(ScriptBody::default()).unwrap()
}

/// Writes down what it hears.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Observer for Notes {
    fn retried(&self, number: u32, why: Why, delay: Duration) {
        self.note(format!("{number} {why:?} {delay:?}"));
    }

    fn timed_out(&self, number: u32, after: Duration) {
        self.note(format!("{number} timed out {after:?}"));
    }

    fn hedged(&self, number: u32) {
        self.note(format!("hedged {number}"));
    }

    fn overtaken(&self, number: u32) {
        self.note(format!("overtaken {number}"));
    }

    fn exhausted(&self, attempts: u32) {
        self.note(format!("exhausted {attempts}"));
    }

    fn out_of_budget(&self) {
        self.note("out of budget".into());
    }

    fn out_of_time(&self) {
        self.note("out of time".into());
    }

    fn unrepeatable(&self) {
        self.note("unrepeatable".into());
    }

    fn crowded(&self) {
        self.note("crowded".into());
    }

    fn chained(&self) {
        self.note("chained".into());
    }
}
