//! Rate limits: with tokens to spare, and with none.

use super::floor;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{fmt::Debug, num::NonZeroU32, sync::Arc, time::Duration};
use tower::{Layer, Service, ServiceExt, limit::RateLimitLayer, service_fn};
use tower_resilience_ratelimiter::RateLimiterLayer;
use ziggurat_benches::{Board, Noop};
use ziggurat_limit::{Key, KeyedLimitLayer, NestedLimitLayer, Rate, RateLimitLayer as Ours};

/// More a second than any row can ask for.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("not zero");
const SLOW: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
const HOUR: Duration = Duration::from_secs(3600);

/// Says no without allocating, so that the row is governor's alone.
#[derive(Debug, thiserror::Error)]
#[error("limited")]
struct Limited;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("limit", "")
        .service("bare", || Noop)
        .service("floor", || floor::gcra(Duration::from_nanos(1), PLENTY))
        .service("ziggurat", || {
            Ours::new(Rate::per_second(PLENTY.get()).expect("valid")).layer(Noop)
        })
        .service("governor", || {
            through_governor(RateLimiter::direct(Quota::per_second(PLENTY)))
        })
        .alone("tower", || {
            RateLimitLayer::new(u64::from(PLENTY.get()), Duration::from_secs(1)).layer(Noop)
        })
        .service("tower-resilience", || {
            tower_resilience(PLENTY.get() as usize, Duration::from_secs(1))
        });

    board
        .section::<u64>("limit", "rejecting")
        .service("bare", || Noop)
        .rejecting("floor", || exhausted(floor::gcra(HOUR, NonZeroU32::MIN)))
        .rejecting("ziggurat", || {
            exhausted(Ours::new(Rate::new(1, HOUR).expect("valid")).layer(Noop))
        })
        .rejecting("governor", || {
            let limiter = RateLimiter::direct(Quota::with_period(HOUR).expect("not zero"));
            assert!(
                limiter.check().is_ok(),
                "the first call takes the one token"
            );
            through_governor(limiter)
        })
        .rejecting("tower-resilience", || exhausted(tower_resilience(1, HOUR)));

    keyed(board, "1,000 keys", 1_000);
    keyed(board, "1 M keys", 1_000_000);
}

/// All keys are known and in use.
fn keyed(board: &mut Board, state: &'static str, keys: u64) {
    board
        .section::<u64>("keyed limit", state)
        .service("bare", move || spread(keys, Noop))
        .service("floor", move || {
            let interval = Duration::from_secs(1) / SLOW.get();
            let floor = floor::keyed_gcra(keys as usize, interval, PLENTY);
            spread(keys, known(keys, floor))
        })
        .service("ziggurat", move || {
            let layer = KeyedLimitLayer::new(number, plenty());
            let layer = layer.keys(keys as usize).expect("valid");
            spread(keys, known(keys, layer.layer(Noop)))
        })
        .service("ziggurat, nested", move || {
            let layer = NestedLimitLayer::new(Rate::per_second(PLENTY.get()).expect("valid"))
                .within_keys(number, plenty(), keys as usize)
                .expect("valid");
            spread(keys, known(keys, layer.layer(Noop)))
        })
        .service("governor", move || {
            let limiter = RateLimiter::keyed(Quota::per_second(SLOW).allow_burst(PLENTY));
            spread(keys, known(keys, through_keyed_governor(limiter)))
        });
}

/// So slow that a key stays in use, with a burst that no row can use up.
fn plenty() -> Rate {
    let rate = Rate::per_second(SLOW.get()).expect("valid");
    rate.burst(PLENTY.get()).expect("valid")
}

fn exhausted<S: Service<u64, Error: Debug> + Clone>(limited: S) -> S {
    let first = limited.clone().oneshot(0);
    let first = tokio::runtime::Handle::current().block_on(first);
    assert!(first.is_ok(), "the first call takes the one token");
    limited
}

/// As a layer would: `governor` has none of its own.
fn through_governor(
    limiter: DefaultDirectRateLimiter,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let limiter = Arc::new(limiter);
    service_fn(move |request| {
        let admitted = limiter.check();
        async move {
            admitted.map_err(|_| Limited)?;
            Noop.call(request).await
        }
    })
}

fn through_keyed_governor(
    limiter: DefaultKeyedRateLimiter<u64>,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let limiter = Arc::new(limiter);
    service_fn(move |request| {
        let admitted = limiter.check_key(&request);
        async move {
            admitted.map_err(|_| Limited)?;
            Noop.call(request).await
        }
    })
}

fn number(request: &u64) -> Option<Key<'_>> {
    Some((*request).into())
}

/// Every key has called once.
fn known<S: Service<u64, Error: Debug> + Clone>(keys: u64, service: S) -> S {
    let handle = tokio::runtime::Handle::current();
    for key in 0..keys {
        let first = handle.block_on(service.clone().oneshot(key));
        assert!(first.is_ok(), "there is plenty");
    }
    service
}

/// Each call is of another key, in no order that a cache could guess: drawn by the thread, as what a
/// clone holds begins anew with every clone, and two that begin alike ask for the same keys.
fn spread<S>(
    keys: u64,
    inner: S,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static,
{
    let mut inner = inner;
    service_fn(move |_| inner.call(fastrand::u64(..keys)))
}

fn tower_resilience(
    limit: usize,
    period: Duration,
) -> tower_resilience_ratelimiter::RateLimiter<Noop> {
    RateLimiterLayer::builder()
        .limit_for_period(limit)
        .refresh_period(period)
        .timeout_duration(Duration::ZERO)
        .build()
        .expect("valid")
        .layer(Noop)
}
