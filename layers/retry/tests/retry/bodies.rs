//! Request bodies: what is replayed, and what is too much.

use crate::kit::*;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use std::sync::{Arc, Mutex};
use tower::{Layer, Service, ServiceExt};
use ziggurat_retry::{ReplayBody, RetryLayer, Superseded};
use ziggurat_testkit::{HttpScript, ScriptBody, Step, tonic::Code};

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_is_sent_once() {
    let down = || script([Step::trailers_only(Code::Unavailable)]);
    for (bytes, calls) in [(256 * 1024, 5), (256 * 1024 + 1, 1)] {
        let inner = down();
        let notes = Notes::default();
        let layer = RetryLayer::new(settings()).observe_with(notes.clone());
        let request = post().map(|_| Full::from(vec![7; bytes]));
        let response = layer.layer(inner.clone()).oneshot(request).await.unwrap();
        assert_eq!((status(&response), inner.calls()), ("14", calls));
        assert_eq!(inner.seen()[0].body.as_ref().unwrap().len(), bytes);
        let last = notes.take().pop().unwrap();
        assert_eq!(
            last,
            if calls == 1 {
                "unrepeatable"
            } else {
                "exhausted 5"
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_repeated_until_it_outgrows_the_limit() {
    for (frames, calls) in [(10, 2), (11, 1)] {
        let chunk = || Bytes::from(vec![7; 100]);
        let body = (0..frames).fold(ScriptBody::default(), |body, _| body.data(chunk()).wait(MS));
        let inner = script([Step::trailers_only(Code::Unavailable), Step::grpc("fine")]);
        let layer = RetryLayer::new(settings().replay_limit(1_000));
        let request = Request::post("http://shop/shop.Cart/Fill")
            .body(body)
            .unwrap();
        layer.layer(inner.clone()).oneshot(request).await.unwrap();
        assert_eq!(inner.calls(), calls);
        for seen in inner.seen() {
            assert_eq!(seen.body.unwrap().len(), frames * 100);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_body_was_read_does_not_spoil_the_next_attempt() {
    type Bodies = Arc<Mutex<Vec<ReplayBody<ScriptBody>>>>;
    let old = Bodies::default();
    let whole = Arc::new(Mutex::new(Vec::new()));
    let (kept, read) = (Arc::clone(&old), Arc::clone(&whole));
    let inner = tower::service_fn(move |request: Request<ReplayBody<ScriptBody>>| {
        let (kept, read) = (Arc::clone(&kept), Arc::clone(&read));
        async move {
            let first = !request.headers().contains_key("grpc-previous-rpc-attempts");
            let mut body = request.into_body();
            if first {
                // One frame of ten, and the transport still holds on to the rest.
                body.frame().await.unwrap().unwrap();
                kept.lock().unwrap().push(body);
                return Ok::<_, ziggurat_core::BoxError>(answer("14"));
            }
            let mut old = kept.lock().unwrap().pop().unwrap();
            while let Some(frame) = body.frame().await {
                read.lock()
                    .unwrap()
                    .extend_from_slice(frame.unwrap().data_ref().unwrap());
                let stopped = old.frame().await.unwrap().unwrap_err();
                assert!(stopped.is::<Superseded>());
            }
            Ok(answer("0"))
        }
    });
    let frames = (0..10_u8).map(|n| Bytes::from(vec![n; 10]));
    let body = frames.fold(ScriptBody::default(), ScriptBody::data);
    let request = Request::post("http://shop/shop.Cart/Fill")
        .body(body)
        .unwrap();
    let response = RetryLayer::new(settings())
        .layer(inner)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(status(&response), "0");
    let expected: Vec<u8> = (0..10_u8).flat_map(|n| [n; 10]).collect();
    assert_eq!(*whole.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_returned_keeps_its_request_body() {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let inner = tower::service_fn(move |request: Request<ReplayBody<ScriptBody>>| {
        let keep = Arc::clone(&keep);
        async move {
            let mut body = request.into_body();
            body.frame().await.unwrap().unwrap();
            *keep.lock().unwrap() = Some(body);
            Ok::<_, ziggurat_core::BoxError>(answer("14"))
        }
    });
    let layer = RetryLayer::new(settings().budget(0.0, 0).unwrap());
    let body = ScriptBody::default().data("one").data("two");
    let request = Request::post("http://shop/shop.Cart/Fill").body(body);
    let call = layer.layer(inner).oneshot(request.unwrap());
    assert_eq!(status(&call.await.unwrap()), "14");
    let rest = kept.lock().unwrap().take().unwrap();
    assert_eq!(rest.collect().await.unwrap().to_bytes(), "two");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_the_body_forbids_costs_nothing() {
    let inner = script([Step::trailers_only(Code::Unavailable)]);
    let notes = Notes::default();
    let poor = settings().replay_limit(64).budget(0.1, 0).unwrap();
    let layer = RetryLayer::new(poor).observe_with(notes.clone());
    let mut service = layer.layer(inner.clone());
    for _ in 0..40 {
        let long = post().map(|_| Full::from(vec![7; 65]));
        ready(&mut service).await.call(long).await.unwrap();
    }
    // Ten calls earn one retry, and none of the four was made.
    let notes = notes.take();
    let unrepeatable = notes.iter().filter(|note| *note == "unrepeatable").count();
    assert!(unrepeatable >= 30, "{notes:?}");
    let before = inner.calls();
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), before + 5);
}

#[tokio::test(start_paused = true)]
async fn a_long_upload_is_not_cut_short_once_it_cannot_be_repeated() {
    let chunk = || Bytes::from(vec![7; 100]);
    let body = (0..80).fold(ScriptBody::default(), |body, _| {
        body.data(chunk()).wait(10 * MS)
    });
    let inner = script([Step::grpc("stored")]);
    let layer = RetryLayer::new(settings().replay_limit(1_000));
    let mut request = Request::post("http://shop/shop.Cart/Fill")
        .body(body)
        .unwrap();
    let options = ziggurat_core::CallOptions::new().idempotent(true);
    request.extensions_mut().insert(options.timeout(900 * MS));
    let (result, took) = timed(layer.layer(inner.clone()), request).await;
    result.unwrap();
    assert_eq!((inner.calls(), took), (1, 800 * MS));
}

#[tokio::test(start_paused = true)]
async fn all_bodies_together_keep_no_more_than_their_room() {
    const KIB: usize = 1_024;
    let inner = HttpScript::by(|_, _| Step::trailers_only(Code::Unavailable).after(MS));
    let notes = Notes::default();
    // The first KiB of each is free: the room is for nine bodies of eight KiB.
    let settings = settings().replay_total(64 * KIB);
    let layer = RetryLayer::new(settings).observe_with(notes.clone());
    let service = layer.layer(inner.clone().reading_bodies());
    let call = || {
        let request = post().map(|_| Full::from(vec![7; 8 * KIB]));
        service.clone().oneshot(request)
    };
    let responses = futures(20, call).await;
    assert!(responses.iter().all(|answer| status(answer) == "14"));
    let notes = notes.take();
    let count = |what: &str| notes.iter().filter(|note| *note == what).count();
    assert_eq!((count("crowded"), count("exhausted 5")), (11, 9));
    assert_eq!(inner.calls(), 11 + 9 * 5);
    // All of it came back.
    let request = post().map(|_| Full::from(vec![7; 60 * KIB]));
    service.clone().oneshot(request).await.unwrap();
    assert_eq!(inner.calls(), 11 + 9 * 5 + 5);
}

#[tokio::test(start_paused = true)]
async fn an_answered_call_keeps_no_body_even_if_its_future_is_kept() {
    const KIB: usize = 1_024;
    let inner = HttpScript::by(|number, _| match number {
        0 => Step::grpc("fine"),
        _ => Step::trailers_only(Code::Unavailable),
    });
    let layer = RetryLayer::new(settings().replay_total(8 * KIB));
    let mut service = layer.layer(inner.clone().reading_bodies());
    let long = || post().map(|_| Full::from(vec![7; 8 * KIB]));
    let mut answered = Box::pin(ready(&mut service).await.call(long()));
    answered.as_mut().await.unwrap();
    ready(&mut service).await.call(long()).await.unwrap();
    assert_eq!(inner.calls(), 1 + 5);
    drop(answered);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outgrew_its_limit_makes_room_for_others() {
    const KIB: usize = 1_024;
    let inner = HttpScript::by(|_, _| Step::trailers_only(Code::Unavailable).after(MS));
    let layer = RetryLayer::new(settings().replay_limit(6 * KIB).replay_total(8 * KIB));
    let service = layer.layer(inner.clone().reading_bodies());
    let chunk = || Bytes::from(vec![7; 3 * KIB]);
    let body = (0..9).fold(ScriptBody::default(), |body, _| body.data(chunk()));
    let long = Request::post("http://shop/shop.Cart/Fill").body(body.wait(1_000 * MS));
    let mut long = tokio_test::task::spawn(service.clone().oneshot(long.unwrap()));
    assert!(long.poll().is_pending());
    // It has sent 27 KiB, is still being sent, and holds nothing.
    let body = ScriptBody::default().data(chunk()).data(chunk());
    let short = Request::post("http://shop/shop.Cart/Fill").body(body);
    service.oneshot(short.unwrap()).await.unwrap();
    assert_eq!(inner.calls(), 1 + 5);
}

/// So many calls at once.
async fn futures<F: Future<Output = Result<T, E>>, T, E: std::fmt::Debug>(
    count: usize,
    call: impl Fn() -> F,
) -> Vec<T> {
    let mut calls: Vec<_> = (0..count).map(|_| Box::pin(call())).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|cx| {
        calls.retain_mut(|call| match call.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer.unwrap());
                false
            }
            std::task::Poll::Pending => true,
        });
        match calls.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    answers
}
