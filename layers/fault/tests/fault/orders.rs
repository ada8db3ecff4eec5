//! Faults that a request orders for itself.

use super::{Told, call, ms, under, with};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use ziggurat_fault::{Abort, FaultLayer, Faults};
use ziggurat_testkit::{HttpScript, Step};

const HTTP: &str = "x-envoy-fault-abort-request";
const GRPC: &str = "x-envoy-fault-abort-grpc-request";
const SHARE: &str = "x-envoy-fault-abort-request-percentage";
const DELAY: &str = "x-envoy-fault-delay-request";

#[tokio::test(start_paused = true)]
async fn a_request_orders_a_status_a_delay_and_a_bandwidth() {
    let service = under(Faults::new().ordered(1.0).unwrap());
    let answer = call(&service, with(&[(HTTP, "503"), (GRPC, "8")])).await;
    assert_eq!(answer.unwrap().status(), 503);
    let answer = call(&service, with(&[(GRPC, "8")])).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "8");

    let begun = Instant::now();
    call(&service, with(&[(DELAY, "250")])).await.unwrap();
    assert_eq!(begun.elapsed(), ms(250));

    let slow = with(&[("x-envoy-fault-throughput-response", "1")]);
    let answer = call(&service, slow).await.unwrap();
    let begun = Instant::now();
    answer.into_body().collect().await.unwrap();
    // 10 bytes at 1 KiB a second; a timer ticks in whole milliseconds.
    assert_eq!(begun.elapsed(), ms(10));
}

#[tokio::test]
async fn nothing_is_ordered_unless_that_is_allowed() {
    let answer = call(&under(Faults::new()), with(&[(HTTP, "503")])).await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn an_order_for_a_share_is_for_that_share_and_never_for_more_than_is_allowed() {
    let half = under(Faults::new().ordered(0.5).unwrap());
    let mut failed = [0; 4];
    for _ in 0..400 {
        let asked = [Some("100"), Some("10"), Some("0"), None];
        for (failed, share) in failed.iter_mut().zip(asked) {
            let share = share.map(|share| (SHARE, share));
            let headers: Vec<_> = [(HTTP, "503")].into_iter().chain(share).collect();
            let answer = call(&half, with(&headers)).await.unwrap();
            *failed += u32::from(answer.status() == 503);
        }
    }
    assert!((160..240).contains(&failed[0]), "{failed:?}");
    assert!((20..60).contains(&failed[1]), "{failed:?}");
    assert_eq!(failed[2], 0);
    assert!((160..240).contains(&failed[3]), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_header_orders_is_bounded_and_what_makes_no_sense_is_told() {
    let told = Told::default();
    let faults = Faults::new().ordered(1.0).unwrap();
    let layer = FaultLayer::new(faults).observe_with(told.clone());
    let service = layer.layer(HttpScript::new([Step::grpc("hello")]));

    let begun = Instant::now();
    let endless = with(&[(DELAY, "18446744073709551615")]);
    service.clone().oneshot(endless).await.unwrap();
    assert_eq!(begun.elapsed(), ms(300_000));

    for (name, value) in [
        (HTTP, "99"),
        (HTTP, "600"),
        (HTTP, "70000"),
        (HTTP, "-503"),
        (GRPC, "17"),
        (GRPC, "UNAVAILABLE"),
        (DELAY, "18446744073709551616"),
        (DELAY, ""),
        ("x-envoy-fault-throughput-response", "0"),
    ] {
        told.malformed.lock().unwrap().clear();
        let answer = service.clone().oneshot(with(&[(name, value)])).await;
        assert_eq!(answer.unwrap().headers().get("grpc-status"), None);
        assert_eq!(*told.malformed.lock().unwrap(), [name], "{value}");
    }
}

#[tokio::test]
async fn an_order_replaces_what_is_set() {
    let faults = Faults::new()
        .abort(Abort::lost(), 1.0)
        .and_then(|faults| faults.ordered(1.0))
        .unwrap();
    let spared = with(&[(HTTP, "503"), (SHARE, "0")]);
    let answer = call(&under(faults), spared).await.unwrap();
    assert_eq!(answer.status(), 200);
}
