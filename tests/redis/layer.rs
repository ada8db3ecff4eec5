//! What the layer does with a Redis that is well.

use super::support::*;
use futures_util::FutureExt;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower::Layer;
use ziggurat::{
    core::{ByResult, error},
    limit::{KeyTooLong, Limited, TooCostly},
    quota::RedisLimitLayer,
};
use ziggurat_testkit::{Counting, RedisServer, Strict, exercise};

#[tokio::test]
async fn a_burst_is_admitted_once_and_keys_are_apart() {
    let server = RedisServer::start().await;
    let limiter = limiter(&patient(&server), burst_only(20));
    assert_eq!(admitted(&limiter, "a", 100).await, 20);
    assert_eq!(admitted(&limiter, "b", 100).await, 20);
    // Another process is told the same.
    let other = super::support::limiter(&patient(&server), burst_only(20));
    assert_eq!(admitted(&other, "a", 10).await, 0);
}

#[tokio::test]
async fn calls_of_one_moment_are_asked_for_together() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = patient(&server).observe_with(told.clone());
    let limiter = limiter(&quota, burst_only(300));
    let calls = (0..1_000).map(|_| call(&limiter, "hot"));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 300);
    assert!(answers.iter().flat_map(Result::as_ref).count() == 300);
    // A few of them: one for the first, one for all who then waited, and what there was not.
    let asked = told.get(|counts| &counts.asked);
    assert!(asked <= 5, "{asked}");
    assert_eq!(told.get(|counts| &counts.limited), 700);
}

#[tokio::test]
async fn who_is_refused_hears_when_to_come_again_and_asks_redis_no_more() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = patient(&server).observe_with(told.clone());
    let limiter = limiter(&quota, burst_only(1));
    assert_eq!(admitted(&limiter, "a", 1).await, 1);
    let refused = call(&limiter, "a").await.unwrap_err();
    let wait = error::find::<Limited>(&*refused).unwrap().retry_after();
    let day = Duration::from_secs(86_400);
    assert!(wait <= day && wait > day - LONG, "{wait:?}");
    // The half second may pass in between on a machine that is busy, again and again.
    let before = told.get(|counts| &counts.asked);
    assert_eq!(admitted(&limiter, "a", 100).await, 0);
    let asked = told.get(|counts| &counts.asked) - before;
    assert!(asked < 50, "{asked}");
}

#[tokio::test]
async fn a_call_counts_for_what_it_costs() {
    let server = RedisServer::start().await;
    let cost = |request: &Request| request.parse().unwrap();
    let echo = tower::service_fn(|_: Request| async { Ok::<_, ziggurat::core::BoxError>(()) });
    let layer = RedisLimitLayer::new(&patient(&server), "r", burst_only(10), one).unwrap();
    let service = layer.cost_with(cost).carry_with(ByResult).layer(echo);
    let call = |cost| tower::ServiceExt::oneshot(service.clone(), cost);
    assert!(call("0").await.is_ok());
    assert!(call("7").await.is_ok());
    assert!(is::<Limited>(&call("4").await.unwrap_err()));
    assert!(call("3").await.is_ok());
    assert!(is::<Limited>(&call("1").await.unwrap_err()));
    assert!(call("0").await.is_ok());
    assert!(is::<TooCostly>(&call("11").await.unwrap_err()));
}

#[tokio::test]
async fn a_key_of_a_megabyte_reaches_nobody() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = patient(&server).observe_with(told.clone());
    let limiter = limiter(&quota, burst_only(1));
    let huge: Request = Box::leak("x".repeat(1 << 20).into_boxed_str());
    let refused = call(&limiter, huge).await.unwrap_err();
    let refused = error::find::<KeyTooLong>(&*refused).unwrap();
    assert_eq!(refused.len(), 1 << 20);
    assert_eq!(told.get(|counts| &counts.refused), 1);
    let keys: u64 = ask(&mut look(&server).await, &["DBSIZE"]).await;
    assert_eq!(keys, 0);
}

#[tokio::test]
async fn a_key_holds_one_number_and_expires() {
    let server = RedisServer::start().await;
    let quota = patient(&server).prefix("app").unwrap();
    let limiter = limiter(&quota, rate(10, 20));
    assert_eq!(admitted(&limiter, "ip:1.2.3.4", 1).await, 1);
    let mut redis = look(&server).await;
    let keys: Vec<String> = ask(&mut redis, &["KEYS", "*"]).await;
    assert_eq!(keys, ["app:login:ip:1.2.3.4"]);
    let tat: u64 = ask(&mut redis, &["GET", &keys[0]]).await;
    let now = redis_time(&mut redis).await;
    assert!(tat <= now + 2_000_000, "{tat} {now}");
    let left: i64 = ask(&mut redis, &["PTTL", &keys[0]]).await;
    assert!((1..=3_000).contains(&left), "{left}");
}

#[tokio::test]
async fn keys_without_a_place_are_limited_all_the_same() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = patient(&server).observe_with(told.clone()).keys(1).unwrap();
    let layer = RedisLimitLayer::new(&quota, "login", burst_only(3), by_itself).unwrap();
    let limiter = layered(layer.clone());
    // Each key that is used up is worth knowing, so at most one of those in a shard has a place.
    let keys: Vec<Request> = (0..300)
        .map(|n| &*Box::leak(n.to_string().into_boxed_str()))
        .collect();
    for key in &keys {
        assert_eq!(admitted(&limiter, key, 5).await, 3, "{key}");
    }
    assert!(layer.keys() <= 64, "{}", layer.keys());
    assert!(told.get(|counts| &counts.overflowed) > 0);
}

#[tokio::test]
async fn the_clock_of_redis_that_was_set_back_locks_nobody_out() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    // Full again in an hour, by a clock that was an hour ahead.
    let hour = redis_time(&mut redis).await + 3_600_000_000;
    let key = "ziggurat:limit:login:a";
    let _: () = ask(&mut redis, &["SET", key, &hour.to_string()]).await;
    let limiter = limiter(&patient(&server), rate(10, 20));
    eventually("it is as if the burst were used up", async || {
        admitted(&limiter, "a", 1).await == 1
    })
    .await;
    let tat: u64 = ask(&mut redis, &["GET", key]).await;
    assert!(tat <= redis_time(&mut redis).await + 2_000_000);
}

#[tokio::test]
async fn it_keeps_the_contract_of_tower() {
    let server = RedisServer::start().await;
    let permits = Arc::new(Semaphore::new(1));
    let strict = Strict::echo().permits(Arc::clone(&permits));
    let (inner, gauge) = Counting::new(strict);
    // So few that nothing is taken in advance: each of its calls waits for Redis.
    let rate = rate(1, 1_000);
    let layer = RedisLimitLayer::new(&patient(&server), "r", rate, one).unwrap();
    exercise(&layer.carry_with(ByResult).layer(inner), || 7).await;
    gauge.assert_idle();
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_holds_nobody_up() {
    let server = RedisServer::start().await;
    let limiter = limiter(&patient(&server), burst_only(5));
    for _ in 0..3 {
        let mut waiting = Box::pin(call(&limiter, "a"));
        assert!((&mut waiting).now_or_never().is_none());
        drop(waiting);
    }
    // One of them was asked for, and is there for the others.
    assert_eq!(admitted(&limiter, "a", 10).await, 5);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    use ziggurat::quota::{OnOutage, RedisQuota};
    let open = |url| RedisQuota::open(url, OnOutage::Open);
    for bad in ["", "http://u:secret@host", "redis://", "nonsense:secret"] {
        let error = open(bad).unwrap_err();
        assert_eq!(error.field(), "url");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let quota = open("redis://u:secret@127.0.0.1:6379/0").unwrap();
    assert!(!format!("{quota:?}").contains("secret"), "{quota:?}");
    let day = Duration::from_secs(86_400);
    let fresh = || quota.clone();
    for (refused, field) in [
        (fresh().timeout(Duration::ZERO), "timeout"),
        (fresh().timeout(day), "timeout"),
        (fresh().lease(day), "lease"),
        (fresh().lease(Duration::ZERO), "lease"),
        (fresh().keys(0), "keys"),
        (fresh().keys(usize::MAX), "keys"),
        (fresh().prefix(""), "prefix"),
        (fresh().prefix(&"x".repeat(257)), "prefix"),
        (fresh().gochat(&"x".repeat(300)), "prefix"),
    ] {
        assert_eq!(refused.unwrap_err().field(), field);
    }
    for rule in ["", "a:b", "a\nb", &"x".repeat(129)] {
        let refused = RedisLimitLayer::new(&quota, rule, burst_only(1), by_itself);
        assert_eq!(refused.unwrap_err().field(), "rule");
    }
}
