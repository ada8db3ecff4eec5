//! The buckets of gochat's Go services, as they write them.

use super::support::*;
use redis::aio::MultiplexedConnection;
use std::collections::HashMap;
use ziggurat::{
    limit::Rate,
    quota::{OnUnknown, RedisLimitLayer, RuleSet},
};
use ziggurat_testkit::RedisServer;

const KEY: &str = "ratelimit:im-gateway:login:ip:1.2.3.4";

fn bucket(server: &RedisServer, rate: Rate) -> Limiter {
    let quota = patient(server).gochat("im-gateway").unwrap();
    limiter(&quota, rate)
}

async fn fields(redis: &mut MultiplexedConnection) -> HashMap<String, String> {
    ask(redis, &["HGETALL", KEY]).await
}

/// A bucket that was last refilled so many seconds ago.
async fn leave(redis: &mut MultiplexedConnection, tokens: &str, ago: f64) {
    let nanos = redis_time(redis).await as f64 * 1e3 - ago * 1e9;
    // As Go's clock comes out of Lua.
    let last = format!("{nanos:.16e}").replace('e', "e+");
    let words = ["HSET", KEY, "tokens", tokens, "last_refill_ts", &last];
    let counts = ["total_requests", "12", "allowed_requests", "10"];
    let _: u64 = ask(redis, &[&words[..], &counts[..]].concat()).await;
}

#[tokio::test]
async fn a_bucket_that_go_wrote_goes_on() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    leave(&mut redis, "3.2999999999999998", 0.0).await;
    let limiter = bucket(&server, burst_only(10));
    assert_eq!(admitted(&limiter, "ip:1.2.3.4", 4).await, 3);

    let fields = fields(&mut redis).await;
    assert_eq!(fields.len(), 4);
    assert_eq!(fields["allowed_requests"], "13");
    // Who is refused without asking is not counted there.
    assert!(
        ["15", "16"].contains(&&*fields["total_requests"]),
        "{fields:?}"
    );
    let number = |name: &str| fields[name].parse::<f64>().unwrap();
    assert!((0.29..0.5).contains(&number("tokens")), "{fields:?}");
    let now = redis_time(&mut redis).await as f64 * 1e3;
    assert!((now - number("last_refill_ts")).abs() < 60e9, "{fields:?}");
    // It goes when nobody uses it: what is declared and never done there.
    let left: i64 = ask(&mut redis, &["TTL", KEY]).await;
    assert!((86_000..=864_001).contains(&left), "{left}");
}

#[tokio::test]
async fn the_very_fixture_is_read() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    let words = [
        "HSET",
        KEY,
        "tokens",
        "3.2999999999999998",
        "last_refill_ts",
        "1.7951886953236611e+18",
        "total_requests",
        "12",
        "allowed_requests",
        "10",
    ];
    let _: u64 = ask(&mut redis, &words).await;
    let limiter = bucket(&server, burst_only(10));
    // By now it may have filled up, if the machine's clock is past the fixture's.
    let admitted = admitted(&limiter, "ip:1.2.3.4", 20).await;
    assert!((3..=10).contains(&admitted), "{admitted}");
    let total = 12 + 20;
    assert!(
        fields(&mut redis).await["total_requests"]
            .parse::<u32>()
            .unwrap()
            <= total
    );
}

#[tokio::test]
async fn peers_whose_clocks_differ_neither_mint_calls_nor_run_into_debt() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    let limiter = bucket(&server, burst_only(10));
    // Written by one that is five seconds ahead, in debt, behind for a day, and too full.
    for (tokens, ago, expected) in [
        ("4", -5.0, 4),
        ("-301", 0.0, 0),
        ("-301", -5.0, 0),
        ("4", 86_400.5, 5),
        ("4000", 0.0, 10),
    ] {
        leave(&mut redis, tokens, ago).await;
        let limiter = bucket(&server, burst_only(10));
        let found = admitted(&limiter, "ip:1.2.3.4", 20).await;
        assert_eq!(found, expected, "{tokens} {ago}");
        let now = redis_time(&mut redis).await as f64 * 1e3;
        let last: f64 = fields(&mut redis).await["last_refill_ts"].parse().unwrap();
        assert!(last <= now, "{last} {now}");
    }
    drop(limiter);
}

#[tokio::test]
async fn fields_that_hold_no_number_are_counted_and_left_alone() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    for field in ["tokens", "last_refill_ts", "total_requests"] {
        for bad in ["", "x", "nan", "inf", "-inf", "1e999"] {
            let _: () = ask(&mut redis, &["FLUSHALL"]).await;
            let _: u64 = ask(&mut redis, &["HSET", KEY, field, bad]).await;
            let told = Told::default();
            let quota = patient(&server).observe_with(told.clone());
            let quota = quota.gochat("im-gateway").unwrap();
            let limiter = limiter(&quota, burst_only(10));
            assert!(call(&limiter, "ip:1.2.3.4").await.is_err());
            assert_eq!(told.get(|counts| &counts.malformed), 1, "{field} {bad}");
            assert_eq!(fields(&mut redis).await[field], bad);
        }
    }
}

#[tokio::test]
async fn a_hash_of_one_field_and_one_of_none_are_full_buckets() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    let _: u64 = ask(&mut redis, &["HSET", KEY, "total_requests", "7"]).await;
    let rules = RuleSet::gochat(OnUnknown::Closed);
    let quota = patient(&server).gochat("im-gateway").unwrap();
    let layer = RedisLimitLayer::by_rule(&quota, &rules, "password_reset", by_itself).unwrap();
    assert_eq!(admitted(&layered(layer), "a", 5).await, 1);
    let limiter = bucket(&server, burst_only(10));
    assert_eq!(admitted(&limiter, "ip:1.2.3.4", 20).await, 10);
}
