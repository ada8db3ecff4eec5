//! Limits within limits: all or none.

use crate::{SECOND, rate};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};
use tokio::time;
use tower::{BoxError, Layer, Service, ServiceExt};
use ziggurat_core::error;
use ziggurat_limit::{Key, KeyExtractor, Limited, NestedLimit, NestedLimitLayer, Rate, TooCostly};
use ziggurat_testkit::{Echo, Strict, assert_clone, assert_send, assert_sync};

fn tenant(request: &u32) -> Option<Key<'_>> {
    Some(u64::from(request / 100).into())
}

fn method(request: &u32) -> Option<Key<'_>> {
    Some(u64::from(request % 100).into())
}

async fn admitted<S>(service: &S, request: u32, calls: usize) -> usize
where
    S: Service<u32, Error = BoxError> + Clone,
{
    let mut admitted = 0;
    for _ in 0..calls {
        admitted += usize::from(service.clone().oneshot(request).await.is_ok());
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn what_a_child_refuses_is_not_spent_at_its_parents() {
    let layer = NestedLimitLayer::new(rate(1, 20))
        .within(tenant, rate(1, 8))
        .within(method, rate(1, 5));
    let service = layer.layer(Strict::echo());
    // The method refuses; then the tenant; and the total has lost eight.
    assert_eq!(admitted(&service, 101, 1_000).await, 5);
    assert_eq!(admitted(&service, 102, 1_000).await, 3);
    assert_eq!(admitted(&service, 103, 1_000).await, 0);
    // What the tenant refused was not spent at the methods.
    assert_eq!(admitted(&service, 202, 1_000).await, 2);
    assert_eq!(admitted(&service, 203, 1_000).await, 5);
    assert_eq!(admitted(&service, 304, 1_000).await, 5);
    // And in all twenty.
    assert_eq!(admitted(&service, 405, 1_000).await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_time_to_come_back_is_when_all_of_them_would_admit() {
    let slow = Rate::new(1, 7 * SECOND).unwrap();
    let layer = NestedLimitLayer::new(rate(1, 1)).within(tenant, slow);
    let service = layer.layer(Strict::echo());
    service.clone().oneshot(1).await.unwrap();
    for (after, wait) in [(0, 7), (3, 4), (3, 1)] {
        time::advance(after * SECOND).await;
        let error = service.clone().oneshot(1).await.unwrap_err();
        let limited = error::find::<Limited>(&*error).unwrap();
        assert_eq!(limited.retry_after(), wait * SECOND);
    }
    time::advance(SECOND).await;
    service.oneshot(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_above_any_burst_is_refused_by_name_at_once() {
    let layer = NestedLimitLayer::new(rate(1, 20)).within(tenant, rate(1, 8));
    let service = layer.cost_with(|_: &u32| 9).layer(Strict::echo());
    let error = service.oneshot(1).await.unwrap_err();
    assert_eq!(error::find::<TooCostly>(&*error).unwrap().burst(), 8);
}

#[test]
fn eight_threads_spend_exactly_what_each_limit_allows() {
    let layer = NestedLimitLayer::new(rate(1, 1_000)).within(tenant, rate(1, 150));
    let service = layer.layer(Echo);
    let counts: Vec<_> = (0..10).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let calls = 0..4_000;
                for tenant in calls.map(|call| call % 10) {
                    let call = service.clone().oneshot(tenant * 100);
                    if futures(call) {
                        counts[tenant as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let counts: Vec<_> = counts
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    // A second or two may have gone by.
    assert!(counts.iter().all(|count| *count <= 160), "{counts:?}");
    assert!(
        (1_000..1_010).contains(&counts.iter().sum::<usize>()),
        "{counts:?}"
    );
}

fn futures(call: impl Future<Output = Result<u32, BoxError>>) -> bool {
    let mut call = tokio_test::task::spawn(call);
    matches!(call.poll(), std::task::Poll::Ready(Ok(_)))
}

#[tokio::test(start_paused = true)]
async fn one_layer_is_one_state_and_an_isolated_one_another() {
    let layer = NestedLimitLayer::new(rate(1, 3)).within(tenant, rate(1, 2));
    let (one, two) = (
        layer.layer(Strict::echo()),
        layer.clone().layer(Strict::echo()),
    );
    assert_eq!(admitted(&one, 1, 1).await, 1);
    assert_eq!(admitted(&two, 1, 9).await, 1);
    assert_eq!(admitted(&two, 100, 9).await, 1);
    let other = layer.isolated().layer(Strict::echo());
    assert_eq!(admitted(&other, 1, 9).await, 2);
}

#[test]
fn nested_limits_need_no_runtime_and_all_is_send_sync_and_clone() {
    drop(NestedLimitLayer::<u32>::new(rate(1, 1)).layer(Echo));
    assert!(
        NestedLimitLayer::new(rate(1, 1))
            .within_keys(tenant, rate(1, 1), 0)
            .is_err()
    );
    assert_clone::<NestedLimitLayer<u32>>();
    assert_clone::<NestedLimit<Echo, u32>>();
    assert_send::<NestedLimit<Echo, u32>>();
    assert_sync::<NestedLimit<Echo, u32>>();
}

#[tokio::test(start_paused = true)]
async fn what_the_total_refuses_is_not_spent_within_it() {
    let layer =
        NestedLimitLayer::new(rate(1, 2)).within(tenant, Rate::new(1, 3_600 * SECOND).unwrap());
    let service = layer.layer(Strict::echo());
    assert_eq!(admitted(&service, 100, 1).await, 1);
    assert_eq!(admitted(&service, 200, 1).await, 1);
    // There is none left in all, a thousand times; then there is, and the tenant has its one.
    assert_eq!(admitted(&service, 300, 1_000).await, 0);
    time::advance(SECOND).await;
    assert_eq!(admitted(&service, 300, 9).await, 1);
}

#[test]
fn a_key_may_be_looked_for_by_a_call_of_the_same_limit() {
    type Inner = Arc<OnceLock<NestedLimit<Echo, u32>>>;

    #[derive(Clone)]
    struct Ask(Inner);

    impl KeyExtractor<u32> for Ask {
        fn key<'r>(&self, request: &'r u32) -> Option<Key<'r>> {
            if *request > 0 {
                assert!(futures(self.0.get()?.clone().oneshot(request - 1)));
            }
            Some(u64::from(*request).into())
        }
    }

    let inner = Inner::default();
    let layer = NestedLimitLayer::new(rate(1, 9)).within(Ask(Arc::clone(&inner)), rate(1, 1));
    let service = layer.layer(Echo);
    assert!(inner.set(service.clone()).is_ok());
    assert!(futures(service.clone().oneshot(3)));
    assert!(!futures(service.oneshot(0)));
}

#[test]
fn eight_threads_that_the_total_refuses_spend_nothing_within_it() {
    let hourly = |burst| Rate::new(1, 3_600 * SECOND).unwrap().burst(burst).unwrap();
    let layer = NestedLimitLayer::new(hourly(100)).within(tenant, hourly(60));
    let service = layer.layer(Echo);
    let count = |request: u32, calls: usize| {
        let admitted = |_: &usize| futures(service.clone().oneshot(request));
        (0..calls).filter(admitted).count()
    };
    let admitted: usize = std::thread::scope(|scope| {
        let work = |n: u32| scope.spawn(move || count(n % 2 * 100, 2_000));
        let threads: Vec<_> = (0..8).map(work).collect();
        threads.into_iter().map(|done| done.join().unwrap()).sum()
    });
    assert_eq!(admitted, 100);
}
