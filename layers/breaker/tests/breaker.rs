#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! The breaker, seen from outside: paused clock, strict and scripted inner services.

#[path = "breaker/backend.rs"]
mod backend;
#[path = "breaker/contract.rs"]
mod contract;
#[path = "breaker/gate.rs"]
mod gate;
#[path = "breaker/gauges.rs"]
mod gauges;
#[path = "breaker/grpc.rs"]
mod grpc;
#[path = "breaker/modes.rs"]
mod modes;
#[path = "breaker/named.rs"]
mod named;
#[path = "breaker/probes.rs"]
mod probes;
#[path = "breaker/values.rs"]
mod values;

use std::time::Duration;
use ziggurat_breaker::{Breaker, BreakerLayer, Open, Permit, ResponseFuture, Settings};
use ziggurat_core::{BoxError, ByResult};
use ziggurat_testkit::{Echo, assert_clone, assert_send, assert_sync};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Five failures in a row open it for exactly a minute, and two successes close it.
fn five_for_a_minute() -> Settings {
    let settings = Settings::new().consecutive_failures(5).unwrap();
    settings.open_for(MINUTE).unwrap()
}

#[test]
fn a_layer_needs_no_runtime_and_all_is_send_sync_and_clone() {
    use tower::Layer;

    drop(BreakerLayer::default().layer(Echo));
    assert_clone::<BreakerLayer<ByResult>>();
    assert_clone::<Breaker<Echo>>();
    assert_send::<Breaker<Echo>>();
    assert_sync::<Breaker<Echo>>();
    assert_send::<ResponseFuture<std::future::Ready<Result<u32, BoxError>>, ByResult>>();
    assert_send::<Permit>();
    assert_sync::<Permit>();
    assert_send::<Open>();
    assert_sync::<Open>();
    assert_clone::<Open>();
}
