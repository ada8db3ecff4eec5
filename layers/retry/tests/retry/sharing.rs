//! One budget for all services of a layer.

use crate::kit::*;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower::{Layer, Service, ServiceExt, util::BoxCloneService};
use ziggurat_core::BoxError;
use ziggurat_retry::{RetryLayer, Settings};
use ziggurat_testkit::{HttpScript, Step, tonic::Code};

fn down() -> HttpScript {
    HttpScript::new([Step::trailers_only(Code::Unavailable)])
}

#[tokio::test(start_paused = true)]
async fn when_everything_fails_the_budget_bounds_the_load() {
    for (ratio, per_second) in [(0.2, 10), (0.1, 0), (0.6, 0), (1.0, 0)] {
        let inner = down();
        let none = ziggurat_core::Backoff::new(MS, 1.0, MS).unwrap();
        let settings = settings().backoff(none).budget(ratio, per_second).unwrap();
        let mut service = RetryLayer::new(settings).layer(inner.clone());
        let began = tokio::time::Instant::now();
        for _ in 0..1_000 {
            ready(&mut service).await.call(post()).await.unwrap();
        }
        let reserve = f64::from(per_second) * (10.0 + began.elapsed().as_secs_f64());
        let retries = inner.calls() as f64 - 1_000.0;
        assert!(retries <= 1_000.0 * ratio + reserve, "{ratio}: {retries}");
        assert!(
            retries >= (1_000.0 * ratio + reserve) * 0.95,
            "{ratio}: {retries}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_share_the_budget_and_an_isolated_layer_does_not() {
    let ten = settings().budget(0.0, 1).unwrap();
    let notes = Notes::default();
    let layer = RetryLayer::new(ten).observe_with(notes.clone());
    let inner = down();
    let service = layer.layer(inner.clone());
    service.clone().oneshot(post()).await.unwrap();
    service.clone().oneshot(post()).await.unwrap();
    layer
        .clone()
        .layer(inner.clone())
        .oneshot(post())
        .await
        .unwrap();
    layer.layer(inner.clone()).oneshot(post()).await.unwrap();
    // Ten in reserve, and one for each of the few seconds that it took.
    assert!((14..=18).contains(&inner.calls()), "{}", inner.calls());
    assert_eq!(notes.take().pop().unwrap(), "out of budget");
    let before = inner.calls();
    layer
        .isolated()
        .layer(inner.clone())
        .oneshot(post())
        .await
        .unwrap();
    assert_eq!(inner.calls(), before + 5);
}

/// 1000 calls through one service of retries, or three one above the other; how many arrive.
async fn arriving(storeys: usize, settings: Settings) -> usize {
    let leaf = down();
    let mut house = BoxCloneService::<Bare, _, BoxError>::new(leaf.clone());
    for _ in 0..storeys {
        let storey = RetryLayer::new(settings).layer(house.map_request(bare));
        house = BoxCloneService::new(storey);
    }
    for _ in 0..1_000 {
        let response = house.clone().oneshot(bare(post())).await.unwrap();
        assert_eq!(status(&response), "14");
    }
    leaf.calls()
}

type Bare = Request<UnsyncBoxBody<Bytes, BoxError>>;

/// A request as it comes off the wire: nothing but its headers and its body.
fn bare<B>(request: Request<B>) -> Bare
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut head, body) = request.into_parts();
    head.extensions.clear();
    Request::from_parts(head, body.map_err(Into::into).boxed_unsync())
}

#[tokio::test(start_paused = true)]
async fn three_storeys_of_retries_do_not_multiply() {
    let calls = arriving(3, settings().budget(0.2, 0).unwrap()).await;
    assert!(calls <= 1_200, "{calls}");
    // The floor is for those who make few calls, and only one storey draws on it.
    let three = arriving(3, settings()).await;
    assert_eq!(three, arriving(1, settings()).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_gave_up_asks_not_to_be_asked_again() {
    let once = settings().attempts(1.try_into().unwrap());
    let poor = settings().budget(0.0, 0).unwrap();
    let unavailable = || Step::trailers_only(Code::Unavailable);
    let pushed = unavailable().header("grpc-retry-pushback-ms", "70");
    for (settings, step, pushback) in [
        (settings(), unavailable(), Some("-1")),
        (poor, unavailable(), Some("-1")),
        // Whoever never tries again has not given up either.
        (once, unavailable(), None),
        (settings(), Step::trailers_only(Code::Internal), None),
        (settings(), Step::grpc("fine"), None),
        (
            settings(),
            Step::headers_then_status(Code::Unavailable, "half"),
            None,
        ),
        // A proxy's page has no room for the word.
        (settings(), Step::html(StatusCode::BAD_GATEWAY), None),
        // The server has said what it wants.
        (settings(), pushed, Some("70")),
    ] {
        let shown = format!("{step:?}");
        let service = RetryLayer::new(settings).layer(script([step]));
        let response = service.oneshot(idempotent()).await.unwrap();
        let told = response.headers().get("grpc-retry-pushback-ms");
        let told = told.map(|value| value.to_str().unwrap());
        assert_eq!(told, pushback, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_runs_out_of_time_has_given_up_only_if_he_tried_again() {
    for (left, calls, pushback) in [(50, 1, None), (150, 2, Some("-1"))] {
        let inner = down();
        let options = ziggurat_core::CallOptions::new().timeout(left * MS);
        let call = retry(&inner).oneshot(with(post(), options));
        let response = call.await.unwrap();
        let told = response.headers().get("grpc-retry-pushback-ms");
        let told = told.map(|value| value.to_str().unwrap());
        assert_eq!((inner.calls(), told), (calls, pushback));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_hears_why_and_when() {
    let notes = Notes::default();
    let layer = RetryLayer::new(settings()).observe_with(notes.clone());
    layer.layer(down()).oneshot(post()).await.unwrap();
    assert_eq!(
        notes.take(),
        [
            "2 Answered(Unavailable) 100ms",
            "3 Answered(Unavailable) 200ms",
            "4 Answered(Unavailable) 400ms",
            "5 Answered(Unavailable) 800ms",
            "exhausted 5",
        ]
    );
    let options = ziggurat_core::CallOptions::new().timeout(50 * MS);
    layer
        .layer(down())
        .oneshot(with(post(), options))
        .await
        .unwrap();
    assert_eq!(notes.take(), ["out of time"]);
}
