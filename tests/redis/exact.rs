//! Never more than the rate, whoever and however many call.

use super::support::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time};
use tower::{Service, ServiceExt};
use ziggurat::{limit::Rate, quota::RedisQuota};
use ziggurat_testkit::RedisServer;

const FOR: Duration = Duration::from_secs(3);
const PROCESSES: u64 = 3;

/// What several who share nothing but a Redis admit while they call as fast as they can, and how long
/// that took by the clock of Redis, in seconds.
async fn stormed(server: &RedisServer, quota: impl Fn() -> RedisQuota, rate: Rate) -> (u64, f64) {
    let mut redis = look(server).await;
    let begin = redis_time(&mut redis).await;
    let (admitted, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut tasks = JoinSet::new();
    for _ in 0..PROCESSES {
        let limiter = limiter(&quota(), rate);
        for _ in 0..3 {
            let mut limiter = limiter.clone();
            let (admitted, over) = (Arc::clone(&admitted), Arc::clone(&over));
            tasks.spawn(async move {
                while !over.load(Relaxed) {
                    let ready = limiter.ready().await.unwrap();
                    if ready.call("hot").await.is_ok() {
                        admitted.fetch_add(1, Relaxed);
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    time::sleep(FOR).await;
    over.store(true, Relaxed);
    tasks.join_all().await;
    let end = redis_time(&mut redis).await;
    (admitted.load(Relaxed), (end - begin) as f64 / 1e6)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_together_admit_the_rate_and_nothing_above() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = || patient(&server).observe_with(told.clone());
    let (rate, burst) = (2_000, 400);
    let (admitted, took) = stormed(&server, quota, super::support::rate(rate, burst)).await;
    let most = f64::from(rate) * took + f64::from(burst);
    assert!(admitted as f64 <= most, "{admitted} of {most}");
    // What each holds at the end is all that may be missing, were the machine not busy.
    assert!(admitted as f64 >= 0.8 * most, "{admitted} of {most}");
    let asked = told.get(|counts| &counts.asked);
    assert!(asked * 3 < admitted, "{asked} questions, {admitted} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_do_those_who_use_the_layout_of_gochat() {
    let server = RedisServer::start().await;
    let quota = || patient(&server).gochat("im-gateway").unwrap();
    let (rate, burst) = (700, 90);
    let (admitted, took) = stormed(&server, quota, super::support::rate(rate, burst)).await;
    let most = f64::from(rate) * took + f64::from(burst);
    assert!(admitted as f64 <= most + 1.0, "{admitted} of {most}");
    assert!(admitted as f64 >= 0.8 * most, "{admitted} of {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_flushed_all_the_time_cost_no_decision() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = || patient(&server).observe_with(told.clone());
    let mut redis = look(&server).await;
    let mut flushing = JoinSet::new();
    flushing.spawn(async move {
        loop {
            let _: () = ask(&mut redis, &["SCRIPT", "FLUSH"]).await;
            time::sleep(Duration::from_millis(5)).await;
        }
    });
    let (admitted, took) = stormed(&server, quota, rate(1_000, 100)).await;
    drop(flushing);
    let most = 1_000.0 * took + 100.0;
    assert!(admitted as f64 <= most, "{admitted} of {most}");
    assert!(admitted as f64 >= 0.8 * most, "{admitted} of {most}");
    assert_eq!(told.get(|counts| &counts.rejected_alone), 0);
    assert_eq!(told.get(|counts| &counts.down), 0);
}
