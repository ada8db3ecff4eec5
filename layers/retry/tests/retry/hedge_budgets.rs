//! What hedges cost.

use crate::kit::*;
use std::num::NonZeroU32;
use tower::{Layer, Service};
use ziggurat_core::clock;
use ziggurat_retry::{
    RetryLayer, Rules, Settings as Retrying,
    hedge::{Delay, HedgeLayer, Settings},
};
use ziggurat_testkit::{HttpScript, Step, tonic::Code};

fn five() -> Settings {
    Settings::new()
        .attempts(NonZeroU32::new(5).unwrap())
        .delay(Delay::Fixed(10 * MS))
        .unwrap()
}

fn over(rules: Rules) -> HedgeLayer {
    HedgeLayer::over(RetryLayer::new(Retrying::new().rules(rules)), five())
}

/// Trap 34 of hedging: every answer takes twice as long as usual, so that every call would be hedged.
#[tokio::test(start_paused = true)]
async fn when_everything_is_slow_the_budget_bounds_the_load() {
    for ratio in [0.1, 0.2, 0.6, 1.0] {
        let inner = HttpScript::by(|_, _| Step::grpc("slow").after(20 * MS));
        let layer = over(Rules::ratio(ratio, 0).unwrap());
        let mut service = layer.layer(inner.clone());
        for _ in 0..1_000 {
            ready(&mut service).await.call(idempotent()).await.unwrap();
        }
        let hedges = inner.calls() as f64 - 1_000.0;
        assert!(hedges <= 1_000.0 * ratio, "{ratio}: {hedges}");
        assert!(hedges >= 950.0 * ratio, "{ratio}: {hedges}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_and_hedges_draw_on_one_budget() {
    let inner = HttpScript::by(|_, _| Step::trailers_only(Code::Unavailable).after(20 * MS));
    let layer = over(Rules::ratio(0.2, 0).unwrap());
    let mut service = layer.layer(inner.clone());
    for number in 0..1_000 {
        let call = if number % 2 == 0 {
            post()
        } else {
            idempotent()
        };
        ready(&mut service).await.call(call).await.unwrap();
    }
    let further = inner.calls() - 1_000;
    assert!((190..=200).contains(&further), "{further}");
    assert!(
        layer
            .budget()
            .withdraw(&Rules::ratio(0.2, 0).unwrap(), clock::now())
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn while_it_is_throttled_only_the_first_attempt_is_sent() {
    let inner = HttpScript::by(|_, _| Step::trailers_only(Code::Unavailable));
    let service = || over(Rules::throttling(10, 0.1).unwrap());
    let layer = service();
    let mut hedged = layer.layer(inner.clone());
    let mut calls = Vec::new();
    for _ in 0..4 {
        let before = inner.calls();
        ready(&mut hedged).await.call(idempotent()).await.unwrap();
        calls.push(inner.calls() - before);
    }
    // Each failure costs a token, and five of ten must be left.
    assert_eq!(calls, [5, 1, 1, 1]);
    // Those that are pending go on.
    let slow = HttpScript::by(|_, _| Step::grpc("slow").after(20 * MS));
    let mut pending = layer.layer(slow.clone());
    let (response, took) = timed(&mut pending, idempotent()).await;
    assert_eq!((response.is_ok(), took, slow.calls()), (true, 20 * MS, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_in_flight_until_it_ends_and_no_longer() {
    let rules = Rules::ratio(1.0, 100).unwrap().in_flight(1, 0.0).unwrap();
    let layer = over(rules);
    let inner = HttpScript::by(|_, _| Step::grpc("slow").after(35 * MS));
    let service = layer.layer(inner.clone());
    for round in 1..=3 {
        // One place: the first hedge takes it for as long as the call lasts.
        timed(service.clone(), idempotent()).await.0.unwrap();
        assert_eq!(inner.calls(), 2 * round);
    }
    let permit = layer.budget().withdraw(&rules, clock::now());
    timed(service.clone(), idempotent()).await.0.unwrap();
    assert_eq!(inner.calls(), 7);
    drop(permit);
    timed(service, idempotent()).await.0.unwrap();
    assert_eq!(inner.calls(), 9);
}
