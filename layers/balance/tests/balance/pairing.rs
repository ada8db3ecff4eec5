//! The same discovery, under tower's balancer; and foreign discoveries, under ours.

use crate::feed::{Node, found};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower::{
    Layer, Service, ServiceExt,
    balance::p2c::Balance,
    discover::ServiceList,
    load::{CompleteOnResponse, PeakEwmaDiscover},
};
use ziggurat_balance::{BalanceLayer, Foreign};
use ziggurat_core::ByResult;
use ziggurat_testkit::{Script, Step, Strict};

#[tokio::test(start_paused = true)]
async fn towers_balancer_takes_the_same_discovery() {
    let script = Script::<u32, u32>::new([Step::answer(1)]);
    let (_feeder, feed) = found([
        Node::new("a", script.clone()),
        Node::new("b", script.clone()),
    ]);
    let load = PeakEwmaDiscover::new(
        feed,
        Duration::from_millis(10),
        Duration::from_secs(10),
        CompleteOnResponse::default(),
    );
    let mut service = Balance::new(load);
    for n in 0..10 {
        assert_eq!(service.ready().await.unwrap().call(n).await.unwrap(), 1);
    }
    assert_eq!(script.calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn any_discovery_of_cloneable_services_will_do() {
    let strict = || {
        let answers = Script::<u32, u32>::new([Step::answer(1)]);
        Strict::around(answers).pending_first(1)
    };
    let discover = ServiceList::new::<u32>(vec![strict(), strict(), strict()]);
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .layer(Foreign::new("list", discover));
    for n in 0..100 {
        service.clone().oneshot(n).await.unwrap();
    }
    let views = service.endpoints();
    let ids: Vec<_> = views
        .iter()
        .map(|view| view.id().as_str().to_owned())
        .collect();
    assert_eq!(ids, ["0", "1", "2"]);
    assert_eq!(views.iter().map(|view| view.calls()).sum::<u64>(), 100);
}

#[tokio::test(start_paused = true)]
async fn whatever_callers_do_the_contract_is_kept_and_permits_come_back() {
    let permits = Arc::new(Semaphore::new(1));
    let strict = || {
        let answers = Script::<u32, u32>::new([Step::answer(1)]);
        Strict::around(answers)
            .permits(Arc::clone(&permits))
            .pending_first(1)
    };
    let (_feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    ziggurat_testkit::exercise(&service, || 1).await;
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn under_limits_and_over_limits_the_contract_is_kept() {
    let strict = || Strict::around(Script::<u32, u32>::new([Step::answer(1)]));
    let (_feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
    let balance = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let mut service = tower::ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(1)
        .service(balance);
    for n in 0..10 {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
}
