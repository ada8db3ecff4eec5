//! What a call hears whose time is up before it got what it costs.

use super::*;
use crate::quota::{
    OnOutage, RedisQuota, Unchecked,
    limit::{Flight, Source, Taken},
    script::Grant,
};
use std::net::TcpListener;
use tokio::sync::watch;
use ziggurat_core::error;
use ziggurat_limit::{Limited, Rate};

const PATIENCE: Duration = Duration::from_millis(20);

/// A call of this cost that waits for a Redis which is connected to, and says nothing.
fn waiting(silent: &TcpListener, cost: u32) -> Wait {
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let quota = RedisQuota::open(&url, OnOutage::Closed).unwrap();
    let quota = quota.timeout(Duration::from_secs(5)).unwrap();
    let rate = Rate::per_second(10).unwrap().burst(100).unwrap();
    let limit = Limit::new(quota, "costly", Source::Rate(rate.into()));
    let Taken::Wait(mut wait) = limit.take(None, cost, || None) else {
        unreachable!("nothing was taken before");
    };
    wait.until = ziggurat_core::clock::now() + PATIENCE;
    wait
}

/// Redis granted what was asked for.
fn answered(granted: u32) -> Flight {
    let wait = Duration::ZERO;
    watch::channel(Some(Ok(Grant { granted, wait }))).1
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_until_its_time_is_up_is_limited_and_no_outage() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wait = waiting(&silent, 90);
    // They were used before it had its turn, and so it asks again.
    wait.asking.flight = answered(90);
    let refused = wait.done().await.unwrap_err();
    let limited = error::find::<Limited>(&*refused).expect("Redis is well");
    // What ninety cost at ten a second.
    assert_eq!(limited.retry_after(), Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn where_redis_never_answered_the_policy_decides() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = waiting(&silent, 90).done().await.unwrap_err();
    assert!(error::find::<Unchecked>(&*refused).is_some());
}
