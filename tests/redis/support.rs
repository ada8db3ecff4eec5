//! What these tests share.

use redis::aio::MultiplexedConnection;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use ziggurat::{
    core::{BoxError, ByResult, error},
    limit::{Key, KeyExtractor, Limited, Rate},
    quota::{Observer, OnOutage, RedisLimitLayer, RedisQuota},
};
use ziggurat_testkit::RedisServer;

/// Longer than anything takes on a machine that is busy.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// A request that is its key.
pub(super) type Request = &'static str;
pub(super) type Limiter = BoxCloneSyncService<Request, Request, BoxError>;

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) asked: AtomicU64,
    pub(super) limited: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) admitted_alone: AtomicU64,
    pub(super) rejected_alone: AtomicU64,
    pub(super) down: AtomicU64,
    pub(super) up: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) elsewhere: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) unknown: AtomicU64,
}

// === impl Told ===

impl Told {
    pub(super) fn get(&self, which: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        which(&self.0).load(Relaxed)
    }
}

impl Observer for Told {
    fn asked(&self, _: Duration, _: u32) {
        self.0.asked.fetch_add(1, Relaxed);
    }

    fn limited(&self) {
        self.0.limited.fetch_add(1, Relaxed);
    }

    fn refused(&self) {
        self.0.refused.fetch_add(1, Relaxed);
    }

    fn decided_alone(&self, admitted: bool) {
        let counts = &self.0;
        let count = if admitted {
            &counts.admitted_alone
        } else {
            &counts.rejected_alone
        };
        count.fetch_add(1, Relaxed);
    }

    fn redis(&self, reachable: bool) {
        let counts = &self.0;
        let count = if reachable { &counts.up } else { &counts.down };
        count.fetch_add(1, Relaxed);
    }

    fn malformed(&self) {
        self.0.malformed.fetch_add(1, Relaxed);
    }

    fn elsewhere(&self) {
        self.0.elsewhere.fetch_add(1, Relaxed);
    }

    fn overflowed(&self) {
        self.0.overflowed.fetch_add(1, Relaxed);
    }

    fn unknown_rule(&self) {
        self.0.unknown.fetch_add(1, Relaxed);
    }
}

pub(super) fn by_itself<'r>(request: &'r Request) -> Option<Key<'r>> {
    Some((*request).into())
}

/// All requests have one key.
#[allow(clippy::unnecessary_wraps, reason = "what an extractor looks like")]
pub(super) fn one<R>(_: &R) -> Option<Key<'_>> {
    Some(Key::Number(1))
}

/// A quota that waits for Redis as long as it takes: these machines are busy.
pub(super) fn patient(server: &RedisServer) -> RedisQuota {
    let quota = RedisQuota::open(&server.url(), OnOutage::Closed).unwrap();
    quota.timeout(Duration::from_secs(10)).unwrap()
}

/// So many a second, and so many at once.
pub(super) fn rate(count: u32, burst: u32) -> Rate {
    Rate::per_second(count).unwrap().burst(burst).unwrap()
}

/// One that brings nothing while a test runs.
pub(super) fn burst_only(burst: u32) -> Rate {
    let daily = Rate::new(1, Duration::from_secs(86_400)).unwrap();
    daily.burst(burst).unwrap()
}

pub(super) fn limiter(quota: &RedisQuota, rate: Rate) -> Limiter {
    let layer = RedisLimitLayer::new(quota, "login", rate, by_itself).unwrap();
    layered(layer)
}

pub(super) fn layered<K>(layer: RedisLimitLayer<K>) -> Limiter
where
    K: KeyExtractor<Request> + Clone + Send + Sync + 'static,
{
    let echo = service_fn(|request: Request| async move { Ok::<_, BoxError>(request) });
    BoxCloneSyncService::new(layer.carry_with(ByResult).layer(echo))
}

pub(super) async fn call(limiter: &Limiter, key: Request) -> Result<(), BoxError> {
    limiter.clone().oneshot(key).await.map(|_| ())
}

/// How many of so many calls in a row are admitted; the others are [`Limited`].
pub(super) async fn admitted(limiter: &Limiter, key: Request, calls: usize) -> usize {
    let mut admitted = 0;
    let mut limiter = limiter.clone();
    for _ in 0..calls {
        match limiter.ready().await.unwrap().call(key).await {
            Ok(_) => admitted += 1,
            Err(error) => assert!(is::<Limited>(&error), "{error}"),
        }
    }
    admitted
}

pub(super) fn is<E: std::error::Error + 'static>(error: &BoxError) -> bool {
    error::find::<E>(&**error).is_some()
}

pub(super) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let met = async {
        while !holds().await {
            time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(time::timeout(LONG, met).await.is_ok(), "{what}");
}

/// Looks into a Redis.
pub(super) async fn look(server: &RedisServer) -> MultiplexedConnection {
    look_at(&server.url()).await
}

/// Looks into the Redis at this address.
pub(super) async fn look_at(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Redis's clock, in microseconds.
pub(super) async fn redis_time(connection: &mut MultiplexedConnection) -> u64 {
    let (seconds, micros): (u64, u64) = ask(connection, &["TIME"]).await;
    seconds * 1_000_000 + micros
}

pub(super) async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    words: &[&str],
) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(connection).await.unwrap()
}
