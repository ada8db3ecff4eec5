//! When too few endpoints are well, ejections are disregarded.

use crate::feed::{Feeder, Node, found};
use std::time::Duration;
use tower::{Layer, ServiceExt};
use ziggurat_balance::{Arrange, Balance, BalanceLayer, Policy, RoundRobin, Settings};
use ziggurat_core::{ByResult, Live, Reporter, State};
use ziggurat_testkit::{Script, Step};

type Plain = Script<u32, u32>;

/// Endpoints, and how often each was called before.
struct Ten<P: Arrange> {
    nodes: Vec<Node<Plain>>,
    scripts: Vec<Plain>,
    service: Balance<Node<Plain>, ByResult, P>,
    feeder: Option<Feeder<Node<Plain>>>,
}

fn ten<P: Arrange>(policy: P, settings: impl Into<Live<Settings>>) -> Ten<P> {
    let scripts: Vec<_> = (0..10).map(|_| Plain::new([Step::answer(1)])).collect();
    let node = |(n, script): (usize, &Plain)| Node::new(&format!("e{n}"), script.clone());
    let nodes: Vec<_> = scripts.iter().enumerate().map(node).collect();
    let (feeder, feed) = found(nodes.clone());
    let layer = BalanceLayer::new(policy).classify_with(ByResult);
    Ten {
        nodes,
        scripts,
        service: layer.settings(settings).layer(feed),
        feeder: Some(feeder),
    }
}

fn at_once() -> Settings {
    Settings::new().slow_start(Duration::ZERO)
}

fn eject(nodes: &[Node<Plain>]) {
    nodes.iter().for_each(Node::eject);
}

/// Longer than endpoints stay uncounted.
async fn pass() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

// === impl Ten ===

impl<P: Policy<u32>> Ten<P> {
    /// Which of them take some of many calls.
    async fn called(&self) -> Vec<bool> {
        let before: Vec<_> = self.scripts.iter().map(Script::calls).collect();
        for n in 0..1_000 {
            self.service.clone().oneshot(n).await.unwrap();
        }
        let now = self.scripts.iter().map(Script::calls);
        now.zip(before).map(|(now, before)| now > before).collect()
    }

    async fn count(&self) -> usize {
        pass().await;
        self.called().await.into_iter().filter(|any| *any).count()
    }
}

#[tokio::test(start_paused = true)]
async fn when_most_are_ejected_all_are_called_until_enough_are_back() {
    let ten = ten(RoundRobin::plain(), at_once());
    assert_eq!(ten.count().await, 10);
    eject(&ten.nodes[..5]);
    assert_eq!(ten.count().await, 5, "half of them is enough");
    assert!(!ten.service.is_panicking());
    eject(&ten.nodes[5..6]);
    assert_eq!(ten.count().await, 10);
    assert!(ten.service.is_panicking());
    ten.nodes[0].heal();
    assert_eq!(ten.count().await, 5);
    assert!(!ten.service.is_panicking());
}

#[tokio::test(start_paused = true)]
async fn who_is_down_is_not_to_be_picked_whoever_panics() {
    let ten = ten(RoundRobin::plain(), at_once());
    assert_eq!(ten.count().await, 10);
    ten.nodes[..5]
        .iter()
        .for_each(|node| node.report(State::Down));
    assert_eq!(ten.count().await, 5);
    eject(&ten.nodes[3..7]);
    ten.nodes[7].say(Reporter::Check, State::Down);
    ten.nodes[8].say(Reporter::Registry, State::Draining);
    pass().await;
    let expected: Vec<_> = (0..10).map(|n| n == 5 || n == 6 || n == 9).collect();
    assert_eq!(ten.called().await, expected);
}

#[tokio::test(start_paused = true)]
async fn those_that_connect_are_no_reason_to_panic_and_nobody_ejected_none_either() {
    let ten = ten(RoundRobin::plain(), at_once());
    assert_eq!(ten.count().await, 10);
    for state in [State::Connecting, State::Down] {
        ten.nodes[1..].iter().for_each(|node| node.report(state));
        pass().await;
        assert!(!ten.service.is_panicking(), "all are {state:?}");
    }
    ten.nodes[0].eject();
    pass().await;
    assert!(ten.service.is_panicking());
}

#[tokio::test(start_paused = true)]
async fn the_threshold_is_settable_and_live() {
    let settings = |percent| at_once().panic_threshold_percent(percent).unwrap();
    let (setter, live) = Live::channel(settings(0));
    let ten = ten(RoundRobin::plain(), live);
    eject(&ten.nodes[..9]);
    assert_eq!(ten.count().await, 1, "never, by this setting");
    setter.set(settings(20));
    ten.nodes[8].heal();
    assert_eq!(ten.count().await, 2, "exactly a fifth");
    ten.nodes[8].eject();
    assert_eq!(ten.count().await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_hears_of_it() {
    // Nobody is open for the last resort either, as long as the only one that is left is busy.
    let gate = ziggurat_testkit::Gate::default();
    let strict = || ziggurat_testkit::Strict::around(Plain::new([Step::answer(1)]));
    let busy = Node::new("busy", strict().gate(&gate));
    let others = ["a", "b"].map(|id| Node::new(id, strict()));
    let (_feeder, feed) = found(others.iter().cloned().chain([busy]));
    let layer = BalanceLayer::p2c().classify_with(ByResult);
    let service = layer.settings(at_once()).layer(feed);
    let second = Duration::from_secs(1);
    service.wait_until_ready(second).await.unwrap();
    gate.close();
    others.iter().for_each(Node::eject);
    let call = service.oneshot(1);
    tokio::time::timeout(second / 2, call)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_counted_after_discovery_has_ended() {
    let mut ten = ten(RoundRobin::plain(), at_once());
    ten.feeder = None;
    assert_eq!(ten.count().await, 10);
    eject(&ten.nodes[..9]);
    assert_eq!(ten.count().await, 10);
    assert!(ten.service.is_panicking());
    ten.nodes[..9].iter().for_each(Node::heal);
    pass().await;
    assert!(!ten.service.is_panicking());
}

#[tokio::test(start_paused = true)]
async fn when_most_fail_every_call_they_still_get_calls_to_come_back_by() {
    let failing = || Script::<u32, u32>::by(|_, _| Step::fail_with("no"));
    let scripts: Vec<_> = (0..4).map(|_| failing()).collect();
    let node = |(n, script): (usize, &Plain)| Node::new(&format!("e{n}"), script.clone());
    let nodes: Vec<_> = scripts.iter().enumerate().map(node).collect();
    let (_feeder, feed) = found(nodes.clone());
    let layer = BalanceLayer::p2c().classify_with(ByResult);
    let service = layer.settings(at_once()).layer(feed);
    service
        .wait_until_ready(Duration::from_secs(1))
        .await
        .unwrap();
    eject(&nodes[..3]);
    pass().await;
    for n in 0..400 {
        service.clone().oneshot(n).await.unwrap_err();
    }
    let calls: Vec<_> = scripts.iter().map(Script::calls).collect();
    assert!(calls.iter().all(|calls| *calls > 40), "{calls:?}");
}
