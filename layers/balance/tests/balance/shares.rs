//! Shares: by weight, and of those that are new.

use crate::feed::{Node, found};
use std::time::Duration;
use tower::{Layer, ServiceExt};
use ziggurat_balance::{BalanceLayer, Settings};
use ziggurat_core::{ByResult, Dice};
use ziggurat_testkit::{Script, Step};

/// Calls a second to an endpoint that comes, after 20 seconds, to nine that are warm.
async fn calls_to_a_newcomer(first_answer: Duration) -> Vec<usize> {
    let well = || Script::by(|_, _: &u32| Step::answer(1).after(Duration::from_millis(10)));
    let new = Script::by(move |n, _: &u32| {
        let usual = Duration::from_millis(10);
        Step::answer(1).after(if n == 0 { first_answer } else { usual })
    });
    let warm: Vec<_> = (0..9)
        .map(|n| Node::new(&format!("warm{n}"), well()))
        .collect();
    let (feeder, feed) = found(warm);
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .dice(Dice::seeded(3))
        .layer(feed);
    let mut calls = tokio::task::JoinSet::new();
    let mut counts = Vec::new();
    for second in 0..40 {
        if second == 20 {
            feeder.insert(Node::new("new", new.clone()));
        }
        let before = new.calls();
        for n in 0..500 {
            calls.spawn(service.clone().oneshot(n));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        counts.push(new.calls() - before);
    }
    println!(
        "calls a second to an endpoint whose first answer took {first_answer:?}: {:?}",
        &counts[20..]
    );
    counts.split_off(20)
}

#[tokio::test(start_paused = true)]
async fn a_cold_endpoint_gets_one_probe_and_no_spike() {
    let counts = calls_to_a_newcomer(Duration::from_secs(3)).await;
    assert_eq!(counts[0], 1, "one probe a second, until one is back");
    assert!(counts.iter().all(|count| *count <= 50), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_never_ends_starves_no_endpoint() {
    // An upload, or a subscription without an event: nobody knows for an hour what it is like there.
    let node = |id: &str| {
        let script =
            Script::by(|_, millis: &u64| Step::answer(1).after(Duration::from_millis(*millis)));
        (Node::new(id, script.clone()), script)
    };
    let all: Vec<_> = ["a", "b", "c"].map(node).into();
    let (feeder, feed) = found(all[..2].iter().map(|(node, _)| node.clone()));
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .dice(Dice::seeded(5))
        .layer(feed);
    let mut uploads = tokio::task::JoinSet::new();
    let mut upload = async || {
        uploads.spawn(service.clone().oneshot(3_600_000));
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    for _ in 0..100 {
        service.clone().oneshot(10).await.unwrap();
    }
    feeder.insert(all[2].0.clone());
    tokio::time::sleep(Duration::from_millis(1)).await;
    while all[2].1.calls() == 0 {
        upload().await;
    }
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let service = service.clone();
        callers.spawn(async move {
            for _ in 0..2_000 {
                service.clone().oneshot(10).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    let calls: Vec<_> = all.iter().map(|(_, script)| script.calls()).collect();
    println!("calls where each first call never ended: {calls:?}");
    assert!(calls.iter().all(|calls| *calls > 4_000), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_go_by_weight_however_few_there_are() {
    let cases: [&[u32]; 5] = [
        &[99, 1],
        &[4, 1],
        &[10, 10, 1],
        &[99, 1, 1],
        &[1, 1, 1, 1, 4],
    ];
    // How much slower the heavy ones are, in percent.
    for (weights, slower) in cases.iter().flat_map(|case| [(*case, 0), (*case, 10)]) {
        for callers in [1_usize, 20] {
            let node = |(n, weight): (usize, &u32)| {
                let micros = 10_000 + if *weight == 1 { 0 } else { 100 * slower };
                let latency = Duration::from_micros(micros);
                let script = Script::by(move |_, _: &u32| Step::answer(1).after(latency));
                let node = Node::new(&format!("e{n}"), script.clone());
                (node.weighing(*weight), script)
            };
            let all: Vec<_> = weights.iter().enumerate().map(node).collect();
            let (_feeder, feed) = found(all.iter().map(|(node, _)| node.clone()));
            let service = BalanceLayer::p2c()
                .classify_with(ByResult)
                .dice(Dice::seeded(11))
                .settings(Settings::new().slow_start(Duration::ZERO))
                .layer(feed);
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..callers {
                let service = service.clone();
                tasks.spawn(async move {
                    for _ in 0..10_000 / callers {
                        service.clone().oneshot(1).await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
            let total: u32 = weights.iter().sum();
            let shares = all.iter().map(|(_, script)| script.calls() as f64 / 1e4);
            let shares: Vec<_> = shares.collect();
            println!("weights {weights:?}, {slower} %, {callers} callers: {shares:?}");
            for (share, weight) in shares.iter().zip(weights) {
                let due = f64::from(*weight) / f64::from(total);
                let near = (share - due).abs() < 0.005 + due * 0.15;
                assert!(near, "{weights:?}, {callers} callers: {shares:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_gets_a_growing_share() {
    let counts = calls_to_a_newcomer(Duration::from_millis(10)).await;
    assert!((1..=15).contains(&counts[0]), "{counts:?}");
    assert!(counts[1] <= 20 && counts[2] <= 30, "{counts:?}");
    let early: usize = counts[1..5].iter().sum();
    let late: usize = counts[12..16].iter().sum();
    assert!(late > 2 * early && late > 4 * 30, "{counts:?}");
    assert!(counts.iter().all(|count| *count <= 100), "{counts:?}");
}
