//! Endpoints that have no room now: who takes the call, and what it costs.

use crate::{
    feed::{Node, found, spawn},
    waiting::{millis, request, script},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};
use tower::{Layer, Service, ServiceExt};
use ziggurat_balance::BalanceLayer;
use ziggurat_core::{Attempt, CallOptions, EndpointId, State, Tried};
use ziggurat_testkit::{Gate, Strict};

#[tokio::test(start_paused = true)]
async fn whichever_busy_endpoint_is_free_first_takes_the_call() {
    for free in [0, 1, 2] {
        let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
        let nodes = gates.iter().enumerate();
        let nodes =
            nodes.map(|(n, gate)| Node::new(&format!("e{n}"), Strict::around(script()).gate(gate)));
        let (_feeder, feed) = found(nodes);
        let service = BalanceLayer::p2c().layer(feed);
        let options = CallOptions::new().timeout(millis(10_000));
        let call = spawn(service.clone().oneshot(request(options)));
        tokio::time::sleep(millis(100)).await;
        gates[free].open();
        call.end().await.unwrap();
        assert_eq!(service.endpoints()[free].pending(), 0);
        assert_eq!(service.endpoints()[free].calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_busy_endpoint_looks_elsewhere_when_it_is_gone() {
    let (feeder, feed) = found([Node::new(
        "a",
        Strict::around(script()).gate(&Gate::closed()),
    )]);
    let service = BalanceLayer::p2c().layer(feed);
    let options = CallOptions::new().wait_for_ready(true);
    let call = spawn(service.clone().oneshot(request(options)));
    tokio::time::sleep(millis(100)).await;
    feeder.remove("a");
    tokio::time::sleep(millis(100)).await;
    feeder.insert(Node::new("b", Strict::around(script())));
    call.end().await.unwrap();
    assert_eq!(service.endpoints()[0].calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_busy_endpoint_gets_the_one_that_replaces_it() {
    for patient in [false, true] {
        let busy = || Node::new("a", Strict::around(script()).gate(&Gate::closed()));
        let (feeder, feed) = found([busy()]);
        let service = BalanceLayer::p2c().layer(feed);
        let options = CallOptions::new().wait_for_ready(patient);
        let call = spawn(
            service
                .clone()
                .oneshot(request(options.timeout(millis(60_000)))),
        );
        // Longer than the bound for failing fast.
        tokio::time::sleep(millis(5_000)).await;
        feeder.insert(busy());
        tokio::time::sleep(millis(5_000)).await;
        feeder.insert(Node::new("a", Strict::around(script())));
        let start = Instant::now();
        call.end().await.unwrap();
        assert!(start.elapsed() < millis(10));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_busy_is_waited_for_before_one_that_is_ejected_is_called() {
    let gate = Gate::closed();
    let busy = Node::new("a", Strict::around(script()).gate(&gate));
    let ejected = Node::new("b", Strict::around(script()));
    ejected.eject();
    let (_feeder, feed) = found([busy.clone(), ejected]);
    let service = BalanceLayer::p2c().layer(feed);
    let options = CallOptions::new().timeout(millis(10_000));
    let call = || spawn(service.clone().oneshot(request(options)));
    let waiting = call();
    tokio::time::sleep(millis(5_000)).await;
    assert!(service.endpoints().iter().all(|view| view.pending() == 0));
    busy.report(State::Down);
    waiting.end().await.unwrap();
    assert_eq!(service.endpoints()[1].calls(), 1, "nobody else is left");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_free_is_found_among_many_that_are_busy_or_broken() {
    for busy in [8, 50] {
        for broken in [false, true] {
            let gate = if broken {
                Gate::default()
            } else {
                Gate::closed()
            };
            let strict = || Strict::around(script()).gate(&gate);
            let nodes = (0..busy).map(|n| Node::new(&format!("busy{n}"), strict()));
            let free = Node::new("free", Strict::around(script()));
            let (_feeder, feed) = found(nodes.chain([free]));
            let service = BalanceLayer::p2c().layer(feed);
            for _ in 0..50 {
                if broken {
                    gate.fail_next(usize::MAX);
                }
                let start = Instant::now();
                let call = service.clone().oneshot(request(CallOptions::new()));
                call.await.unwrap();
                assert_eq!(start.elapsed(), Duration::ZERO);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn permits_are_not_hoarded() {
    let permits = Arc::new(Semaphore::new(2));
    let strict = || Strict::around(script()).permits(Arc::clone(&permits));
    let balance = || {
        let (feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
        (feeder, BalanceLayer::p2c().layer(feed))
    };
    let (_one_feeder, mut one) = balance();
    let (_other_feeder, other) = balance();
    for _ in 0..10 {
        let options = CallOptions::new().timeout(millis(100));
        one.call(request(options)).await.unwrap();
    }
    assert_eq!(permits.available_permits(), 2, "nothing is in flight");
    let options = CallOptions::new().timeout(millis(100));
    other.oneshot(request(options)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_knows_which_of_the_busy_ones_took_the_call_in_the_end() {
    for first in ["a", "b"] {
        let gates = [("a", Gate::closed()), ("b", Gate::closed())];
        let nodes = gates.each_ref();
        let nodes = nodes.map(|(id, gate)| Node::new(id, Strict::around(script()).gate(gate)));
        let (_feeder, feed) = found(nodes);
        let service = BalanceLayer::p2c().layer(feed);
        let tried = Tried::new();
        let mut call = request(CallOptions::new().timeout(millis(1_000)));
        call.extensions_mut().insert(Attempt::new(1, tried.clone()));
        let call = spawn(service.clone().oneshot(call));
        tokio::time::sleep(millis(100)).await;
        let open = gates.iter().find(|(id, _)| *id == first).unwrap();
        open.1.open();
        call.end().await.unwrap();
        assert!(tried.contains(&EndpointId::new(first)), "{first}");
    }
}
