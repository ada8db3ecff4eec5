//! Servers that make calls to serve calls, each with its retries, answers and deadlines.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use ziggurat::{
    answer::AnswerLayer,
    core::{BoxError, CallOptions, Code, Rejection, Sent},
    deadline::{self, DeadlineLayer},
    retry::{self, RetryLayer},
};
use ziggurat_testkit::bounded;

const MS: Duration = Duration::from_millis(1);

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;
type Service = BoxCloneService<Request<AnyBody>, Response<AnyBody>, BoxError>;

/// A frame every 20 ms, and then trailers that say OK.
struct Slow {
    frames: usize,
    sleep: Pin<Box<Sleep>>,
}

// === impl Slow ===

impl Slow {
    fn new(frames: usize) -> Self {
        let sleep = Box::pin(sleep(20 * MS));
        Self { frames, sleep }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.sleep.as_mut().poll(cx));
        self.sleep = Box::pin(sleep(20 * MS));
        let Some(left) = self.frames.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.frames = left;
        let ok = || HeaderMap::from_iter([("grpc-status".parse().unwrap(), 0.into())]);
        Poll::Ready(Some(Ok(match left {
            0 => Frame::trailers(ok()),
            _ => Frame::data(Bytes::from_static(b"x")),
        })))
    }
}

/// An upload of so many chunks, whose length nobody knows in advance.
struct Upload(usize);

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        let chunk = Bytes::from_static(&[0; 16 * 1_024]);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

/// A message as it comes off the wire: nothing but its headers and its body.
fn bare<B>(request: Request<B>) -> Request<AnyBody>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut head, body) = request.into_parts();
    head.extensions.clear();
    Request::from_parts(head, body.map_err(Into::into).boxed_unsync())
}

fn answered<B>(response: Response<B>) -> Response<AnyBody>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

fn call<B>(body: B) -> Request<AnyBody>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = Request::post("/shop.Cart/Get").header("content-type", "application/grpc");
    bare(request.body(body).unwrap())
}

fn idempotent(mut request: Request<AnyBody>) -> Request<AnyBody> {
    let options = CallOptions::new().idempotent(true);
    request.extensions_mut().insert(options);
    request
}

fn status(code: Code) -> Response<AnyBody> {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", u16::from(code.number()));
    answered(response.body(Empty::new()).unwrap())
}

/// A server with the layers of one, around a handler.
fn server<F, Fut>(handler: F) -> Service
where
    F: Fn(Request<AnyBody>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Response<AnyBody>, BoxError>> + Send + 'static,
{
    bounded();
    let service = ServiceBuilder::new()
        .map_response(answered)
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server())
        .service(service_fn(handler));
    BoxCloneService::new(service.map_err(|never| match never {}))
}

/// The calls that a client makes to `server`.
fn client(server: Service, timeout: Duration, settings: retry::Settings) -> Service {
    let timeout = deadline::Settings::new(timeout).unwrap();
    let service = ServiceBuilder::new()
        .map_response(answered)
        .layer(DeadlineLayer::client(timeout))
        .layer(RetryLayer::new(settings))
        .map_request(bare)
        .service(server);
    BoxCloneService::new(service)
}

/// 1000 calls through so many storeys of retries to a leaf that answers so; how many arrive.
async fn arriving<F>(storeys: usize, settings: retry::Settings, leaf: F) -> usize
where
    F: Fn() -> Result<Response<AnyBody>, BoxError> + Clone + Send + 'static,
{
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let mut house = server(move |_| {
        count.fetch_add(1, Relaxed);
        std::future::ready(leaf())
    });
    for storey in 1..=storeys {
        house = client(house, Duration::from_secs(30), settings);
        if storey < storeys {
            let below = house;
            house = server(move |request| below.clone().oneshot(bare(request)));
        }
    }
    for _ in 0..1_000 {
        let response = house.clone().oneshot(call(Full::from("x"))).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "14");
        sleep(MS).await;
    }
    arrived.load(Relaxed)
}

#[tokio::test(start_paused = true)]
async fn three_storeys_of_retries_do_not_multiply() {
    let down = || Ok(status(Code::Unavailable));
    let by_ratio = retry::Settings::new().budget(0.2, 0).unwrap();
    let three = arriving(3, by_ratio, down).await;
    assert!(three <= 1_200, "{three}");
    let one = arriving(1, retry::Settings::new(), down).await;
    let three = arriving(3, retry::Settings::new(), down).await;
    // Delays are drawn by lot, and with them what the budget earns meanwhile.
    assert!(three <= one + one / 20, "{three} instead of {one}");
}

#[tokio::test(start_paused = true)]
async fn what_a_backend_may_have_done_is_not_done_again() {
    let cut = || {
        let lost = Rejection::undelivered("connection lost", Sent::Unknown);
        Err(BoxError::from(lost))
    };
    let arrived = arriving(3, retry::Settings::new(), cut).await;
    assert_eq!(arrived, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_a_quick_head_is_not_cut_by_the_timeout_of_an_attempt() {
    let server = server(|_| async {
        let response = Response::builder().header("content-type", "application/grpc");
        Ok(answered(response.body(Slow::new(10)).unwrap()))
    });
    let client = client(server, Duration::from_secs(30), retry::Settings::new());
    for _ in 0..300 {
        let response = client
            .clone()
            .oneshot(idempotent(call(Full::from("x"))))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        let ok = HeaderValue::from_static("0");
        assert_eq!(body.trailers().unwrap()["grpc-status"], ok);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_upload_may_take_its_whole_deadline() {
    let server = server(|request| async {
        request.into_body().collect().await?;
        sleep(1_500 * MS).await;
        Ok(status(Code::Ok))
    });
    let client = client(server, Duration::from_secs(3), retry::Settings::new());
    let upload = idempotent(call(Upload(20)));
    let response = client.oneshot(upload).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "0");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_run_keeps_to_the_deadline_of_the_request_that_is_served() {
    let server = server(|_| async {
        let policy = retry::Policy::new().deadline_from(deadline::current);
        let failed = retry::run(&policy, async |_| {
            sleep(100 * MS).await;
            Err::<(), _>("down")
        });
        let attempts = failed.await.unwrap_err().attempts();
        let mut response = status(Code::Ok);
        response.headers_mut().insert("attempts", attempts.into());
        Ok(response)
    });
    for (timeout, attempts) in [(150, "1"), (400, "2"), (30_000, "4")] {
        let client = client(server.clone(), timeout * MS, retry::Settings::new());
        let response = client.oneshot(call(Full::from("x"))).await.unwrap();
        assert_eq!(response.headers()["attempts"], attempts, "{timeout}");
    }
}
