//! What every layer keeps.

use crate::bench::{Connector, Watched, answers, connect, endpoints, layer, state};
use std::{sync::Arc, task::Poll};
use tokio::sync::Semaphore;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{Endpoint, State};
use ziggurat_testkit::{
    Counting, Script, Step, Strict, assert_clone, assert_send, assert_sync, drop_at_every_await,
    exercise,
};

#[tokio::test(start_paused = true)]
async fn whatever_callers_do_the_contract_is_kept_and_permits_come_back() {
    let permits = Arc::new(Semaphore::new(1));
    let inner = Strict::around(answers())
        .permits(Arc::clone(&permits))
        .pending_first(1);
    let connector = layer().layer(Connector(inner));
    let endpoint = connect(&connector, "users", "a").await;
    exercise(&endpoint, || 0).await;
    exercise(&endpoint, || 1).await;
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_are_over() {
    let slow = Script::by(|_, _: &u32| Step::answer(1).after(std::time::Duration::from_secs(1)));
    let (counting, gauge) = Counting::new(Strict::around(slow).pending_first(2));
    let connector = layer().layer(Connector(counting));
    let endpoint = connect(&connector, "users", "a").await;
    drop_at_every_await(|| endpoint.clone().oneshot(0))
        .await
        .unwrap();
    gauge.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn what_the_endpoint_says_of_itself_is_handed_on() {
    let connector = layer().layer(Connector(answers()));
    let endpoint = connect(&connector, "users", "a").await;
    assert_eq!(endpoint.id().as_str(), "a");
    assert_eq!(endpoint.weight(), 3);
    assert_eq!(endpoint.load_hint(), Some(0.5));
}

#[tokio::test(start_paused = true)]
async fn what_is_lent_is_watched_for_the_one_call_that_it_is_for() {
    let all = endpoints(2).await;
    let mut lent = all[0].lend();
    for _ in 0..9 {
        lent.ready().await.unwrap().call(1).await.unwrap_err();
    }
    assert_eq!(state(&all[0]), State::Ready, "one call, as far as is known");
    for _ in 0..4 {
        assert_eq!(state(&all[0]), State::Ready);
        all[0].lend().oneshot(1).await.unwrap_err();
    }
    assert_eq!(state(&all[0]), State::Ejected);
    let connector = layer().layer(Connector(answers()));
    let endpoint = connect(&connector, "users", "a").await;
    assert_eq!(endpoint.lend().clone().oneshot(0).await.unwrap(), 0);
}

#[test]
fn without_a_runtime_nobody_is_ejected_as_nothing_would_bring_them_back() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let connector = layer().layer(Connector(answers()));
    // One that never saw a runtime, one whose runtime is gone.
    let Poll::Ready(one) = task::spawn(connect(&connector, "users", "a")).poll() else {
        panic!("the connector is ready");
    };
    let other = runtime.block_on(connect(&connector, "users", "b"));
    drop(runtime);
    for endpoint in [one, other] {
        for _ in 0..20 {
            let mut call = task::spawn(endpoint.clone().oneshot(1));
            assert!(call.poll().is_ready());
            assert_eq!(state(&endpoint), State::Ready);
        }
    }
}

#[test]
fn endpoints_are_clone_send_and_sync_and_their_calls_are_send() {
    assert_clone::<Watched>();
    assert_send::<Watched>();
    assert_sync::<Watched>();
    assert_send::<<Watched as Service<u32>>::Future>();
}
