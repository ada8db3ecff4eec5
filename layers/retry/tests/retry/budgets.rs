//! The rules of the budget, one by one, from outside.

use crate::kit::*;
use http::StatusCode;
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::Backoff;
use ziggurat_retry::{Budget, RetryLayer, Rules, Settings};
use ziggurat_testkit::{HttpScript, Step, tonic::Code};

fn down() -> HttpScript {
    HttpScript::new([Step::trailers_only(Code::Unavailable)])
}

/// As gRPC's own examples have it: four attempts, and a short steady backoff.
fn throttled(max_tokens: u32, token_ratio: f64) -> Settings {
    let rules = Rules::throttling(max_tokens, token_ratio).unwrap();
    let backoff = Backoff::new(MS, 1.0, MS).unwrap();
    let settings = settings().attempts(4.try_into().unwrap());
    settings.backoff(backoff).rules(rules)
}

#[tokio::test(start_paused = true)]
async fn throttling_stops_all_retries_at_half_the_tokens() {
    let inner = down();
    let notes = Notes::default();
    let layer = RetryLayer::new(throttled(10, 0.1)).observe_with(notes.clone());
    let mut service = layer.layer(inner.clone());
    // Four failures leave six tokens, and it is the attempts that are over; the fifth failure leaves
    // five, and that is where it ends.
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), 4);
    assert_eq!(notes.take().pop().unwrap(), "exhausted 4");
    for call in 1..=50 {
        ready(&mut service).await.call(post()).await.unwrap();
        assert_eq!(inner.calls(), 4 + call, "first attempts are never stopped");
        assert_eq!(notes.take(), ["out of budget"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_the_last_attempt_costs_a_token_too() {
    // Six tokens, two attempts: if the second failure cost nothing, call two would be tried again.
    let inner = down();
    let two = throttled(6, 0.1).attempts(2.try_into().unwrap());
    let mut service = RetryLayer::new(two).layer(inner.clone());
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), 2);
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn successes_bring_tokens_back_and_what_is_no_failure_takes_none() {
    let inner = HttpScript::by(|number, _| match number {
        0..10 => Step::trailers_only(Code::Unavailable),
        10..21 => Step::grpc("fine"),
        21..60 => Step::trailers_only(Code::NotFound),
        _ => Step::trailers_only(Code::Unavailable),
    });
    let mut service = RetryLayer::new(throttled(4, 0.2)).layer(inner.clone());
    while inner.calls() < 60 {
        ready(&mut service).await.call(post()).await.unwrap();
    }
    // None were left, and eleven successes brought 2.2 of four: one more failure is below half.
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), 61);
}

#[tokio::test(start_paused = true)]
async fn the_page_of_a_proxy_brings_no_token_back() {
    let page = |status, kind: &'static str| Step::status(status).header("content-type", kind);
    for page in [
        page(StatusCode::OK, "text/html"),
        page(StatusCode::NOT_FOUND, "text/html"),
        // A gateway that has put gRPC's type on its own refusal.
        page(StatusCode::SERVICE_UNAVAILABLE, "application/grpc"),
    ] {
        let shown = format!("{page:?}");
        let inner = HttpScript::by(move |number, _| match number {
            0..10 => Step::trailers_only(Code::Unavailable),
            10..60 => page.clone(),
            _ => Step::trailers_only(Code::Unavailable),
        });
        let mut service = RetryLayer::new(throttled(4, 0.2)).layer(inner.clone());
        while inner.calls() < 60 {
            ready(&mut service).await.call(post()).await.unwrap();
        }
        ready(&mut service).await.call(post()).await.unwrap();
        assert_eq!(inner.calls(), 61, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forbids_a_retry_costs_a_token() {
    let never = Step::trailers_only(Code::Unavailable).header("grpc-retry-pushback-ms", "-1");
    let inner = HttpScript::by(move |number, _| match number {
        0..2 => never.clone(),
        _ => Step::trailers_only(Code::Unavailable),
    });
    let mut service = RetryLayer::new(throttled(6, 0.1)).layer(inner.clone());
    for _ in 0..3 {
        ready(&mut service).await.call(post()).await.unwrap();
    }
    assert_eq!(inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn retries_in_flight_are_a_share_of_the_calls_in_flight() {
    let rich = Rules::ratio(4.0, 5_000).unwrap();
    let inner = HttpScript::by(|_, _| Step::trailers_only(Code::Unavailable).after(MS));
    for (calls, retries) in [(5, 3), (100, 20)] {
        let rules = rich.in_flight(3, 0.2).unwrap();
        let notes = Notes::default();
        let layer = RetryLayer::new(settings().rules(rules)).observe_with(notes.clone());
        let service = layer.layer(inner.clone());
        let mut calls: Vec<_> = (0..calls)
            .map(|_| tokio_test::task::spawn(service.clone().oneshot(post())))
            .collect();
        for call in &mut calls {
            assert!(call.poll().is_pending());
        }
        tokio::time::advance(2 * MS).await;
        let over = calls.iter_mut().filter_map(|call| match call.poll() {
            std::task::Poll::Ready(answer) => Some(answer.unwrap()),
            std::task::Poll::Pending => None,
        });
        // Those that wait for their backoff have a place.
        let over = over.count();
        assert!(calls.len() - over <= retries && calls.len() - over >= retries / 2);
        assert!(notes.take().contains(&"out of budget".to_owned()));
        drop(calls);
        // Dropped, they leave their places.
        service.oneshot(post()).await.unwrap();
        assert_eq!(notes.take().pop().unwrap(), "exhausted 5");
    }
}

#[tokio::test(start_paused = true)]
async fn two_layers_share_a_budget_that_both_are_given() {
    let budget = Budget::new();
    let ten = settings().budget(0.0, 1).unwrap();
    let arrived = |budget: &Budget| {
        let (layer, inner) = (RetryLayer::new(ten).share(budget.clone()), down());
        let calls = inner.clone();
        async move {
            for _ in 0..3 {
                layer.layer(inner.clone()).oneshot(post()).await.unwrap();
            }
            calls.calls()
        }
    };
    let first = arrived(&budget).await;
    assert!((13..=16).contains(&first), "{first}");
    let second = arrived(&budget).await;
    assert!(second <= 6, "{second}");
    assert_eq!(arrived(&Budget::new()).await, first);
}
