//! One request body that several attempts read at the same time.

use crate::kit::*;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::num::NonZeroU32;
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::CallOptions;
use ziggurat_retry::{
    RetryLayer, Settings as Retrying,
    hedge::{Delay, HedgeLayer, Settings},
};
use ziggurat_testkit::{HttpScript, ScriptBody, Step, tonic::Code};

fn three(limit: usize, inner: &HttpScript) -> ziggurat_retry::hedge::Hedge<HttpScript> {
    let settings = Settings::new()
        .attempts(NonZeroU32::new(3).unwrap())
        .delay(Delay::Fixed(25 * MS))
        .unwrap();
    let retry = RetryLayer::new(Retrying::new().replay_limit(limit));
    HedgeLayer::over(retry, settings).layer(inner.clone())
}

fn stream(frames: u8) -> Request<ScriptBody> {
    let body = (0..frames).fold(ScriptBody::default(), |body, n| {
        body.data(Bytes::from(vec![n; 100])).wait(10 * MS)
    });
    let mut request = Request::post("http://shop/shop.Cart/Fill")
        .body(body)
        .unwrap();
    let options = CallOptions::new().idempotent(true);
    request.extensions_mut().insert(options);
    request
}

#[tokio::test(start_paused = true)]
async fn all_attempts_read_the_whole_stream_while_it_comes() {
    // Answers when the body is here, and some time has passed: the first is the slowest.
    let inner =
        HttpScript::by(|number, _| Step::grpc("fine").after((30 - 10 * number as u32) * MS));
    let inner = inner.reading_bodies();
    let (response, took) = timed(three(10_000, &inner), stream(10)).await;
    response.unwrap();
    assert_eq!((inner.calls(), took), (3, 110 * MS));
    let expected: Vec<u8> = (0..10_u8).flat_map(|n| [n; 100]).collect();
    for seen in inner.seen() {
        assert_eq!(seen.body.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outgrows_the_limit_goes_to_one_of_them() {
    let inner = HttpScript::by(|_, _| Step::grpc("fine")).reading_bodies();
    let (response, took) = timed(three(500, &inner), stream(10)).await;
    assert_eq!((status(&response.unwrap()), took), ("", 100 * MS));
    // The second began after 25 ms, and 500 bytes were sent before the third could.
    let whole = inner
        .seen()
        .iter()
        .filter(|seen| seen.body.is_some())
        .count();
    assert_eq!((inner.calls(), whole), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answered_call_keeps_no_body_even_if_its_future_is_kept() {
    const KIB: usize = 1_024;
    let inner = HttpScript::by(|number, _| match number {
        0 => Step::grpc("fine"),
        _ => Step::trailers_only(Code::Unavailable),
    });
    let settings = Settings::new().delay(Delay::Fixed(25 * MS)).unwrap();
    let retry = RetryLayer::new(Retrying::new().replay_total(8 * KIB));
    let mut service = HedgeLayer::over(retry, settings).layer(inner.clone().reading_bodies());
    let long = || idempotent().map(|_| Full::from(vec![7; 8 * KIB]));
    let mut answered = Box::pin(ready(&mut service).await.call(long()));
    answered.as_mut().await.unwrap();
    ready(&mut service).await.call(long()).await.unwrap();
    assert_eq!(inner.calls(), 1 + 2);
    drop(answered);
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_is_sent_once() {
    let inner = script([Step::grpc("fine").after(100 * MS)]);
    let service = three(9, &inner);
    service.oneshot(idempotent()).await.unwrap();
    assert_eq!(inner.calls(), 1);
}
