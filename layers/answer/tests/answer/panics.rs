//! Panics, in every place where a service may have one.

use super::{Told, boom, limited, request};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    error::Error,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use ziggurat_answer::{
    Answer, AnswerLayer, CatchPanicLayer, Observer, Panicked, panic::CatchPanic,
};
use ziggurat_core::{BoxError, Code, error};
use ziggurat_testkit::{HttpScript, Step, Strict};

/// Where to panic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Readiness,
    Call,
    Future,
}

#[derive(Clone)]
struct Panics(In);

/// One frame, then a panic; and one more when it is dropped, if told so.
struct Breaks {
    begun: bool,
    drops: bool,
    _alive: Arc<()>,
}

// === impl Panics ===

impl<B> Service<Request<B>> for Panics {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert_ne!(self.0, In::Readiness, "the password is hunter2");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert_ne!(self.0, In::Call, "the password is hunter2");
        let place = self.0;
        Box::pin(async move {
            tokio::task::yield_now().await;
            panic!("the password is hunter2: {place:?}");
        })
    }
}

// === impl Breaks ===

impl Body for Breaks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        assert!(!self.begun, "the password is hunter2");
        self.begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"one")))))
    }
}

impl Drop for Breaks {
    fn drop(&mut self) {
        assert!(!(self.drops && self.begun), "dropped");
    }
}

/// Around an inner service: what catches, and what answers.
fn stack<S>(told: &Told, inner: S) -> Answer<CatchPanic<S>> {
    ServiceBuilder::new()
        .layer(AnswerLayer::new().observe_with(told.clone()))
        .layer(CatchPanicLayer::new())
        .service(inner)
}

#[tokio::test]
async fn a_panic_is_answered_as_internal_wherever_it_happens() {
    for place in [In::Readiness, In::Call, In::Future] {
        let told = Told::default();
        let service = stack(&told, Panics(place));
        let answer = service.clone().oneshot(request("application/grpc")).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "13");
        assert_eq!(answer.headers()["grpc-message"], "internal error");

        let answer = service.oneshot(request("application/json")).await.unwrap();
        assert_eq!(answer.status(), 500);
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, "internal error", "{place:?}");

        let lines = told.lines();
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert!(line.starts_with("INTERNAL: panicked: "), "{line}");
            assert!(line.contains("hunter2"), "{line}");
        }
    }
}

#[tokio::test]
async fn what_a_panic_is_made_of_may_panic_as_it_is_dropped_and_be_made_of_more() {
    struct Bomb(u32);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Self(self.0 - 1));
            }
        }
    }
    for bombs in 0..3 {
        let inner = service_fn(move |_| async move {
            if bombs < 3 {
                std::panic::panic_any(Bomb(bombs));
            }
            Ok::<_, BoxError>(Response::new(String::new()))
        });
        let service = CatchPanicLayer::new().layer(inner);
        let error = service.oneshot(request("text/plain")).await.unwrap_err();
        let panicked = error::find::<Panicked>(&*error).unwrap();
        assert_eq!(panicked.message(), "something that is no text");
    }
}

#[tokio::test]
async fn a_stream_that_panics_ends_with_internal_in_its_trailers() {
    for drops in [false, true] {
        let told = Told::default();
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let inner = service_fn(move |_| {
            let _alive = Arc::clone(&held);
            let begun = false;
            let body = Breaks {
                begun,
                drops,
                _alive,
            };
            ready(Ok::<_, BoxError>(Response::new(body)))
        });
        let service = stack(&told, inner);
        let answer = service.clone().oneshot(request("application/grpc")).await;
        let mut body = answer.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert_eq!(Arc::strong_count(&alive), 3);
        let trailers = body.frame().await.unwrap().unwrap();
        assert_eq!(trailers.into_trailers().unwrap()["grpc-status"], "13");
        assert!(body.frame().await.is_none());
        assert_eq!(
            Arc::strong_count(&alive),
            2,
            "what is left is dropped at once"
        );

        let answer = service.oneshot(request("text/event-stream")).await.unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        let panicked = error::find::<Panicked>(&*error).unwrap();
        assert_eq!(panicked.message(), "the password is hunter2");
    }
}

#[tokio::test]
async fn a_body_that_panics_over_its_length_or_its_end_is_a_body_that_panics() {
    /// Panics whenever it is asked anything but a frame, and is never polled after that.
    struct Coy {
        _alive: Arc<()>,
    }
    impl Body for Coy {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            unreachable!("it is broken")
        }

        fn is_end_stream(&self) -> bool {
            panic!("the end")
        }

        fn size_hint(&self) -> SizeHint {
            panic!("the length")
        }
    }
    for (ask_end, said) in [(true, "the end"), (false, "the length")] {
        let alive = Arc::new(());
        let inner = Coy {
            _alive: Arc::clone(&alive),
        };
        let inner = Some(inner);
        let inner = std::sync::Mutex::new(inner);
        let inner = service_fn(|_: Request<_>| {
            let body = inner.lock().unwrap().take().unwrap();
            ready(Ok::<_, BoxError>(Response::new(body)))
        });
        let service = CatchPanicLayer::new().layer(inner);
        let answer = service.oneshot(request("application/grpc")).await.unwrap();
        let mut body = answer.into_body();
        for _ in 0..2 {
            if ask_end {
                assert!(!body.is_end_stream());
            } else {
                assert_eq!(body.size_hint().upper(), None);
            }
        }
        let error = body.frame().await.unwrap().unwrap_err();
        let panicked = error::find::<Panicked>(&*error).unwrap();
        assert_eq!(panicked.message(), said);
        assert_eq!(Arc::strong_count(&alive), 1, "it is dropped at once");
        assert!(body.frame().await.is_none() && body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}

#[tokio::test]
async fn an_observer_that_panics_changes_no_answer() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn rejected(&self, _: Code, _: &(dyn Error + 'static)) {
            panic!("on purpose");
        }

        fn unexpected(&self, _: &(dyn Error + 'static)) {
            panic!("on purpose");
        }
    }
    for (error, status) in [(limited().into(), "8"), (boom(), "13")] {
        let error = std::sync::Mutex::new(Some(error));
        let inner = service_fn(|_: Request<_>| {
            let error = error.lock().unwrap().take().unwrap();
            ready(Err::<Response<String>, BoxError>(error))
        });
        let service = AnswerLayer::new().observe_with(Clumsy).layer(inner);
        let answer = service.oneshot(request("application/grpc")).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], status);
    }
}

#[tokio::test]
async fn what_a_panic_leaves_behind_is_dropped_before_the_answer() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let inner = service_fn(move |_: Request<_>| {
        let held = Arc::clone(&held);
        async move {
            let _held = held;
            if true {
                panic!("with something in its hands");
            }
            Ok::<_, BoxError>(Response::new(String::new()))
        }
    });
    let service = CatchPanicLayer::new().layer(inner);
    let mut call = Box::pin(service.oneshot(request("text/plain")));
    let error = (&mut call).await.unwrap_err();
    assert!(error.is::<Panicked>());
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test]
async fn a_readiness_that_panicked_is_told_once_and_asked_again() {
    #[derive(Clone)]
    struct Once(bool);
    impl Service<Request<http_body_util::Empty<Bytes>>> for Once {
        type Response = Response<String>;
        type Error = BoxError;
        type Future = Ready<Result<Response<String>, BoxError>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            assert!(std::mem::replace(&mut self.0, true), "not yet");
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<http_body_util::Empty<Bytes>>) -> Self::Future {
            ready(Ok(Response::new(String::new())))
        }
    }
    let mut service = CatchPanicLayer::new().layer(Once(false));
    for well in [false, true] {
        let ready = service.ready().await.unwrap();
        let answer = ready.call(request("text/plain")).await;
        assert_eq!(answer.is_ok(), well);
    }
}

#[tokio::test]
async fn what_does_not_panic_passes_as_it_is() {
    let inner = Strict::around(HttpScript::new([Step::grpc("hello")])).pending_first(1);
    let service = CatchPanicLayer::new().layer(inner);
    let answer = service.oneshot(request("application/grpc")).await.unwrap();
    let collected = answer.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(&collected.to_bytes()[5..], b"hello");
}

/// Panics when it is dropped, whether it was answered or not.
struct Mined<F>(F);

impl<F: Future + Unpin> Future for Mined<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<F> Drop for Mined<F> {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test]
async fn what_panics_when_it_is_dropped_takes_no_connection_with_it() {
    let answered = service_fn(|_: Request<http_body_util::Empty<Bytes>>| {
        let (begun, drops, _alive) = (true, true, Arc::default());
        let body = Breaks {
            begun,
            drops,
            _alive,
        };
        Mined(ready(Ok::<_, BoxError>(Response::new(body))))
    });
    let mut call = stack(&Told::default(), answered);
    let mut call = call.call(request("text/plain"));
    let answer = (&mut call).await.unwrap();
    // A caller who goes away in the middle of the answer; and the call, which is over.
    drop(answer);
    drop(call);

    let never = service_fn(|_: Request<http_body_util::Empty<Bytes>>| {
        Mined(std::future::pending::<Result<Response<String>, BoxError>>())
    });
    let mut cancelled = stack(&Told::default(), never);
    drop(cancelled.call(request("text/plain")));
}
