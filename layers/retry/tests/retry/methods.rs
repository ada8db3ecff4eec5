//! Settings of their own for some methods.

use crate::kit::*;
use http::{Request, Response};
use http_body_util::Full;
use std::{num::NonZeroU32, time::Duration};
use tower::{Layer, ServiceExt};
use ziggurat_core::{ByResult, Live, Rejection, Sent};
use ziggurat_retry::{
    Methods, RetryLayer, Settings,
    hedge::{self, Delay, HedgeLayer},
};
use ziggurat_testkit::{HttpScript, ScriptBody, Step, tonic::Code};

fn to(path: &str) -> Call {
    let request = Request::post(format!("http://shop{path}"));
    request.body(Full::from("0123456789")).unwrap()
}

fn times(attempts: u32) -> Settings {
    settings().attempts(NonZeroU32::new(attempts).unwrap())
}

fn down() -> HttpScript {
    HttpScript::new([Step::trailers_only(Code::Unavailable)])
}

/// How often a call is made, of a server that is down.
async fn attempts<M: Layer<HttpScript>>(layer: &M, path: &str) -> usize
where
    M::Service: tower::Service<Call, Response = Response<ScriptBody>>,
{
    let inner = down();
    let _failed = layer.layer(inner.clone()).oneshot(to(path)).await;
    inner.calls()
}

#[tokio::test(start_paused = true)]
async fn a_method_is_tried_again_as_its_own_settings_say() {
    let methods = Methods::new()
        .on("/shop.Cart/", times(2))
        .and_then(|methods| methods.on("/shop.Cart/Get", times(4)))
        .unwrap();
    let layer = RetryLayer::new(times(3)).by_method(methods.clone());
    for (path, made) in [
        ("/shop.Cart/Get", 4),
        ("/shop.Cart/Put", 2),
        ("/shop.Till/Pay", 3),
    ] {
        assert_eq!(attempts(&layer, path).await, made, "{path}");
    }
    let all = RetryLayer::new(times(3)).by_method(methods.otherwise(times(1)));
    assert_eq!(attempts(&all, "/shop.Till/Pay").await, 1);
    assert_eq!(attempts(&all.isolated(), "/shop.Cart/Get").await, 4);
}

#[tokio::test(start_paused = true)]
async fn the_methods_change_while_calls_run_and_a_call_keeps_what_it_began_with() {
    let four = Methods::new().on("/shop.Cart/Get", times(4)).unwrap();
    let (setter, methods) = Live::channel(four);
    let layer = RetryLayer::new(times(3)).by_method(methods);
    let change = async {
        tokio::time::sleep(50 * MS).await;
        setter.set(Methods::new().otherwise(times(2)));
    };
    let (made, ()) = tokio::join!(attempts(&layer, "/shop.Cart/Get"), change);
    assert_eq!(made, 4);
    assert_eq!(attempts(&layer, "/shop.Cart/Get").await, 2);
    setter.set(Methods::new());
    assert_eq!(attempts(&layer, "/shop.Cart/Get").await, 3);
}

#[tokio::test(start_paused = true)]
async fn plain_values_have_no_method_and_take_what_is_for_all() {
    let lost = || Rejection::undelivered("connection lost", Sent::Unknown);
    let made = |layer: RetryLayer<ByResult>| async move {
        let calls = std::cell::Cell::new(0);
        let service = tower::service_fn(|_: u8| {
            calls.set(calls.get() + 1);
            async { Err::<(), _>(lost()) }
        });
        let _failed = layer.layer(service).oneshot(1).await;
        calls.get()
    };
    let layer = RetryLayer::values(times(3).assume_idempotent(true));
    let named = Methods::new().on("/a/", times(2)).unwrap();
    assert_eq!(made(layer.clone().by_method(named.clone())).await, 3);
    let all = named.otherwise(times(2).assume_idempotent(true));
    assert_eq!(made(layer.by_method(all)).await, 2);
}

fn after(delay: Duration) -> hedge::Settings {
    let settings = hedge::Settings::new().delay(Delay::Fixed(delay)).unwrap();
    settings.any_call(true)
}

/// When a hanging call was made, in milliseconds since it began.
async fn made_at(layer: &HedgeLayer, path: &str) -> Vec<u128> {
    let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&times);
    let began = tokio::time::Instant::now();
    let service = layer.layer(server(move |_| {
        noted.lock().unwrap().push(began.elapsed().as_millis());
        std::future::pending()
    }));
    let hangs = tokio::time::timeout(1_000 * MS, service.oneshot(to(path)));
    assert!(hangs.await.is_err());
    let made = times.lock().unwrap();
    made.clone()
}

#[tokio::test(start_paused = true)]
async fn a_method_is_hedged_as_its_own_settings_say() {
    let methods = Methods::new()
        .on("/shop.Cart/", after(20 * MS))
        .and_then(|methods| methods.on("/shop.Cart/Put", hedge::Settings::off()))
        .unwrap();
    let (setter, live) = Live::channel(methods.clone());
    let layer = HedgeLayer::over(RetryLayer::default(), after(300 * MS)).by_method(live);
    assert_eq!(made_at(&layer, "/shop.Cart/Get").await, [0, 20]);
    assert_eq!(made_at(&layer, "/shop.Cart/Put").await, [0]);
    assert_eq!(made_at(&layer, "/shop.Till/Pay").await, [0, 300]);
    setter.set(methods.on("/shop.Cart/Get", after(70 * MS)).unwrap());
    assert_eq!(made_at(&layer, "/shop.Cart/Get").await, [0, 70]);
    assert_eq!(made_at(&layer.isolated(), "/shop.Cart/Put").await, [0]);
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_not_hedged_is_tried_again_by_its_own_settings() {
    let retries = Methods::new().on("/shop.Cart/Put", times(4)).unwrap();
    let hedges = Methods::new().on("/shop.Cart/", after(MS)).unwrap();
    let hedges = hedges.on("/shop.Cart/Put", hedge::Settings::off()).unwrap();
    let retry = RetryLayer::new(times(3)).by_method(retries);
    let layer = HedgeLayer::over(retry, hedge::Settings::off()).by_method(hedges);
    assert_eq!(attempts(&layer, "/shop.Cart/Put").await, 4);
    assert_eq!(attempts(&layer, "/shop.Till/Pay").await, 3);
    // Two at most, as hedges are.
    assert_eq!(attempts(&layer, "/shop.Cart/Get").await, 2);
}
