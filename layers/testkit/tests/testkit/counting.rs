//! The counters come back.

use std::{future::pending, time::Duration};
use tokio_test::{assert_pending, task};
use tower::{Service, ServiceExt};
use ziggurat_testkit::{BoxError, Counting, Gauge, Strict};

#[tokio::test]
async fn calls_are_counted_by_how_they_end() {
    let (service, gauge) = Counting::new(Strict::new(|n: u32| async move {
        match n {
            0 => Ok(n),
            1 => Err(BoxError::from("no")),
            _ => pending().await,
        }
    }));
    service.clone().oneshot(0).await.unwrap();
    service.clone().oneshot(1).await.unwrap_err();
    assert_eq!(
        (gauge.started(), gauge.finished(), gauge.dropped()),
        (2, 2, 0)
    );
    gauge.assert_idle();

    let mut hangs = task::spawn(service.clone().oneshot(2));
    let mut hangs_too = task::spawn(service.clone().oneshot(2));
    assert_pending!(hangs.poll());
    assert_pending!(hangs_too.poll());
    assert_eq!((gauge.in_flight(), gauge.highest()), (2, 2));
    drop((hangs, hangs_too));
    assert_eq!(
        (gauge.started(), gauge.finished(), gauge.dropped()),
        (4, 2, 2)
    );
    assert_eq!((gauge.in_flight(), gauge.highest()), (0, 2));
    gauge.assert_idle();
    assert_eq!(gauge.polls(), 4);
}

#[tokio::test]
#[should_panic(expected = "calls still under way")]
async fn a_call_under_way_is_not_idle() {
    let (mut service, gauge) = Counting::new(Strict::new(|(): ()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, BoxError>(())
    }));
    let _call = service.ready().await.unwrap().call(());
    gauge.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_count_can_be_waited_for() {
    let second = Duration::from_secs(1);
    let (service, gauge) = Counting::new(Strict::new(move |n: u32| async move {
        tokio::time::sleep(second * n).await;
        Ok::<_, BoxError>(n)
    }));
    let calls = async { tokio::join!(service.clone().oneshot(1), service.clone().oneshot(2)) };
    let start = tokio::time::Instant::now();
    let waits = async {
        gauge.until(|gauge| gauge.in_flight() == 2).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        gauge.until(|gauge| gauge.finished() == 1).await;
        assert_eq!(start.elapsed(), second);
    };
    tokio::join!(calls, waits).0.0.unwrap();
    gauge.until(|gauge| gauge.in_flight() == 0).await;
}

#[test]
fn clones_are_counted_while_they_live() {
    let (service, gauge) = Counting::new(Strict::echo());
    let clone = service.clone();
    assert_eq!(gauge.clones(), 2);
    drop(service);
    drop(clone);
    assert_eq!(gauge.clones(), 0);
}

#[tokio::test]
async fn services_of_one_gauge_add_up() {
    let gauge = Gauge::default();
    for _ in 0..3 {
        Counting::into_gauge(Strict::echo(), &gauge)
            .oneshot(1)
            .await
            .unwrap();
    }
    assert_eq!(gauge.finished(), 3);
}
