//! Errors in the middle of a response.

use super::{Told, limited, request};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_answer::AnswerLayer;
use ziggurat_core::BoxError;
use ziggurat_testkit::{BodyCut, HttpScript, Step};

/// One frame, and then an error.
#[derive(Default)]
struct Fails {
    begun: bool,
    _alive: Arc<()>,
}

impl Body for Fails {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.begun {
            return Poll::Ready(Some(Err(limited().into())));
        }
        self.begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"one")))))
    }
}

#[tokio::test]
async fn a_grpc_stream_that_is_rejected_ends_with_the_status_in_its_trailers() {
    let told = Told::default();
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let inner = service_fn(move |_| {
        let _alive = Arc::clone(&held);
        let begun = false;
        async move { Ok::<_, BoxError>(Response::new(Fails { begun, _alive })) }
    });
    let service = AnswerLayer::new().observe_with(told.clone()).layer(inner);
    let call = request("application/grpc");
    let mut body = service.oneshot(call).await.unwrap().into_body();

    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    assert_eq!(Arc::strong_count(&alive), 2);
    let trailers = body
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_trailers()
        .unwrap();
    assert_eq!(trailers["grpc-status"], "8");
    assert_eq!(trailers["grpc-message"], "100%25 full");
    assert_eq!(trailers["grpc-retry-pushback-ms"], "300");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(told.lines(), ["RESOURCE_EXHAUSTED: limited"]);
}

#[tokio::test]
async fn a_rejected_body_without_trailers_to_end_with_is_cut_off() {
    for kind in ["text/event-stream", "application/grpc-web"] {
        let inner = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Fails::default())) });
        let service = AnswerLayer::new().layer(inner);
        let body = service.oneshot(request(kind)).await.unwrap().into_body();
        assert!(
            body.collect().await.unwrap_err().is::<super::Limited>(),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_cut_off_and_told_of() {
    let told = Told::default();
    let inner = HttpScript::new([Step::cut_off("half")]);
    let service = AnswerLayer::new().observe_with(told.clone()).layer(inner);
    let call = request("application/grpc");
    let body = service.oneshot(call).await.unwrap().into_body();
    assert!(body.collect().await.unwrap_err().is::<BodyCut>());
    assert_eq!(told.lines(), ["unexpected: the body was cut off"]);
}

#[tokio::test]
async fn an_answer_of_the_inner_service_is_handed_on_as_it_is() {
    let service = AnswerLayer::new().layer(HttpScript::new([Step::grpc("hello")]));
    let response = service.oneshot(request("application/grpc")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(&collected.to_bytes()[5..], b"hello");
}
