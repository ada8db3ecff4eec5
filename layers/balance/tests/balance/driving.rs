//! The driver: what discovery says, and when nobody calls.

use crate::feed::{Node, feed, found, spawn};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tower::{Layer, ServiceExt};
use ziggurat_balance::{BalanceLayer, Observer};
use ziggurat_core::{ByResult, EndpointId, Outcome, State};
use ziggurat_testkit::{Script, Step};

/// Remembers the sizes of the sets that were published.
#[derive(Clone, Default)]
struct Published(Arc<std::sync::Mutex<Vec<usize>>>);

impl Observer for Published {
    fn published(&self, service: &str, endpoints: usize) {
        assert_eq!(service, "echo");
        self.0.lock().unwrap().push(endpoints);
    }
}

fn node(id: &str) -> Node<Script<u32, u32>> {
    Node::new(id, Script::new([Step::answer(1)]))
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_polled_before_the_first_call() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let clone = service.clone();
    settle().await;
    assert_eq!(feeder.polls.load(Ordering::Relaxed), 0);
    clone.oneshot(1).await.unwrap();
    assert!(feeder.polls.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_balancer_is_made_and_dropped_outside_of_a_runtime() {
    let (feeder, feed) = found([node("a")]);
    drop(BalanceLayer::p2c().classify_with(ByResult).layer(feed));
    assert!(feeder.dropped.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_calls_that_race_start_one_driver() {
    for _ in 0..50 {
        let (_feeder, feed) = found([node("a")]);
        let published = Published::default();
        let service = BalanceLayer::p2c()
            .classify_with(ByResult)
            .observe_with(published.clone())
            .layer(feed);
        let calls = (0..16).map(|n| spawn(service.clone().oneshot(n)));
        for call in calls.collect::<Vec<_>>() {
            call.end().await.unwrap();
        }
        assert_eq!(service.endpoints()[0].calls(), 16);
        assert_eq!(*published.0.lock().unwrap(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_clone() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let clone = service.clone();
    service.oneshot(1).await.unwrap();
    settle().await;
    assert!(!feeder.dropped.load(Ordering::Relaxed));
    drop(clone);
    settle().await;
    assert!(feeder.dropped.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_ends_leaves_its_last_word_and_is_not_asked_again() {
    let (feeder, feed) = found([node("a")]);
    let (polls, dropped) = (Arc::clone(&feeder.polls), Arc::clone(&feeder.dropped));
    drop(feeder);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    for _ in 0..100 {
        service.clone().oneshot(1).await.unwrap();
        settle().await;
    }
    assert_eq!(polls.load(Ordering::Relaxed), 2, "one change, and the end");
    assert!(dropped.load(Ordering::Relaxed));
}

#[test]
fn a_discovery_outlives_the_runtime_it_was_followed_in() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap()
    };
    for n in 1..5 {
        runtime().block_on(async {
            feeder.insert(node(&format!("e{n}")));
            service.clone().oneshot(1).await.unwrap();
            settle().await;
            assert_eq!(service.endpoints().len(), 1 + n);
        });
        assert!(!feeder.dropped.load(Ordering::Relaxed));
    }
    drop(service);
    assert!(feeder.dropped.load(Ordering::Relaxed));
}

#[test]
fn a_discovery_that_fails_outlives_the_runtime_that_it_paused_in() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    for n in 0..4 {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            service.clone().oneshot(1).await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(service.endpoints().len(), 1 + n);
            feeder.insert(node(&format!("e{n}")));
            feeder.fail();
            settle().await;
        });
    }
    assert_eq!(service.discovery_errors(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_panics_leaves_the_endpoints_known_last_and_is_told() {
    #[derive(Clone, Default)]
    struct Heard(Arc<std::sync::Mutex<Vec<String>>>);
    impl Observer for Heard {
        fn discovery_failed(&self, _: &str, error: &(dyn std::error::Error + 'static)) {
            self.0.lock().unwrap().push(error.to_string());
        }
    }
    let (feeder, feed) = found([node("a"), node("b")]);
    let heard = Heard::default();
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .observe_with(heard.clone())
        .layer(feed);
    service.clone().oneshot(1).await.unwrap();
    feeder.panic();
    settle().await;
    assert!(feeder.dropped.load(Ordering::Relaxed), "it is lost");
    for n in 0..10 {
        service.clone().oneshot(n).await.unwrap();
    }
    assert_eq!(service.endpoints().len(), 2);
    assert_eq!(service.discovery_errors(), 1);
    let told = heard.0.lock().unwrap().clone();
    assert_eq!(told, ["discovery panicked: the endpoints stay as they are"]);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_ends_no_discovery_and_no_call() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn published(&self, _: &str, _: usize) {
            panic!("on purpose");
        }

        fn discovery_failed(&self, _: &str, _: &(dyn std::error::Error + 'static)) {
            panic!("on purpose");
        }

        fn finished(&self, _: &EndpointId, _: Outcome, _: Duration) {
            panic!("on purpose");
        }
    }
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .observe_with(Clumsy)
        .layer(feed);
    service.clone().oneshot(1).await.unwrap();
    feeder.fail();
    feeder.insert(node("b"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(service.endpoints().len(), 2);
    assert_eq!(service.discovery_errors(), 1);
    for n in 0..10 {
        service.clone().oneshot(n).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_and_end_nothing() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    service.clone().oneshot(1).await.unwrap();
    (0..3).for_each(|_| feeder.fail());
    feeder.insert(node("b"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(service.discovery_errors(), 3);
    assert_eq!(service.endpoints().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn changes_are_taken_in_without_calls_and_published_at_once() {
    let published = Published::default();
    let (feeder, feed) = feed();
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .observe_with(published.clone())
        .layer(feed);
    (0..100).for_each(|n| feeder.insert(node(&format!("e{n}"))));
    service.clone().oneshot(1).await.unwrap();
    settle().await;
    (10..100).for_each(|n| feeder.remove(&format!("e{n}")));
    feeder.remove("nobody");
    settle().await;
    assert_eq!(service.endpoints().len(), 10);
    assert_eq!(*published.0.lock().unwrap(), [100, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_known_name_keeps_its_statistics_and_gets_the_new_service() {
    let (feeder, feed) = found([node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    for n in 0..5 {
        service.clone().oneshot(n).await.unwrap();
    }
    let next = Script::new([Step::answer(2)]);
    feeder.insert(Node::new("a", next.clone()));
    settle().await;
    assert_eq!(service.endpoints()[0].calls(), 5);
    assert_eq!(service.clone().oneshot(9).await.unwrap(), 2);
    assert_eq!(service.endpoints()[0].calls(), 6);

    // Gone for a moment only.
    feeder.remove("a");
    settle().await;
    feeder.insert(node("a"));
    settle().await;
    assert_eq!(service.endpoints()[0].calls(), 6);
    feeder.remove("a");
    settle().await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    feeder.insert(node("b"));
    settle().await;
    feeder.insert(node("a"));
    settle().await;
    assert_eq!(service.endpoints()[0].calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn removed_endpoints_finish_what_they_have() {
    let slow = Script::new([Step::answer(7).after(Duration::from_secs(2))]);
    let (feeder, feed) = found([Node::new("a", slow)]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let call = spawn(service.clone().oneshot(1));
    settle().await;
    feeder.remove("a");
    settle().await;
    assert!(service.endpoints().is_empty());
    assert_eq!(call.end().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn views_show_what_is_known() {
    let down = node("b").reported(State::Down);
    let (_feeder, feed) = found([down, node("a")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    service.clone().oneshot(1).await.unwrap();
    let views = service.endpoints();
    assert_eq!(views[0].id().as_str(), "a");
    assert_eq!(views[0].load(), Some(0.0));
    assert_eq!((views[1].state(), views[1].load()), (State::Down, None));
    assert_eq!(service.service(), "echo");
}
