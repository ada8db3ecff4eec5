//! The least that some layers can do, written by hand: nothing boxed, nothing allocated, the state in
//! one `Arc`, the clock that ours read. No observers, no settings that change, no half-open probes.

use arc_swap::ArcSwap;
use std::{
    fmt::Debug,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tower::{Service, service_fn};
use ziggurat_benches::Noop;
use ziggurat_core::clock::{self, Instant};

/// Says no without allocating.
#[derive(Debug, thiserror::Error)]
#[error("rejected")]
struct Rejected;

/// A word has the good calls of a second, the bad ones, and the second: a thousand million, four
/// million, and an hour of seconds.
const BAD_SHIFT: u32 = 30;
const SECOND_SHIFT: u32 = 52;

/// On cache lines of its own.
#[repr(align(128))]
struct Circuit {
    /// Nanoseconds after `origin`; 0 when it is closed.
    open_until: AtomicU64,
    /// Good and bad calls of a second, and which it is, of even and of odd seconds: the least of a
    /// window that slides.
    calls: [AtomicU64; 2],
    origin: Instant,
}

#[repr(align(128))]
struct Cell {
    tat: AtomicU64,
    origin: Instant,
}

/// What a table knows of a key; four in a cache line.
#[derive(Default)]
struct Place {
    owner: AtomicU64,
    tat: AtomicU64,
}

#[repr(align(128))]
#[derive(Default)]
struct Endpoint {
    pending: AtomicU64,
    /// An average of latencies in nanoseconds, as bits of an `f64`.
    latency: AtomicU64,
}

/// A call that is under way at an endpoint, also when it is dropped.
struct Pending(Arc<Endpoint>);

/// One load to let a call in; one clock, one load and one addition to count it. Open, one load and one
/// clock.
pub(crate) fn breaker(
    open_for: Duration,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let circuit = Arc::new(Circuit {
        open_until: AtomicU64::new(open_for.as_nanos() as u64),
        calls: Default::default(),
        origin: clock::now(),
    });
    service_fn(move |request| {
        let circuit = circuit.admits().then(|| Arc::clone(&circuit));
        async move {
            let circuit = circuit.ok_or(Rejected)?;
            let answer = Noop.call(request).await;
            circuit.count(answer.is_ok());
            answer
        }
    })
}

/// One clock and one compare-and-swap.
pub(crate) fn gcra(
    interval: Duration,
    burst: NonZeroU32,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let interval = interval.as_nanos() as u64;
    let tolerance = interval * u64::from(burst.get() - 1);
    let cell = Arc::new(Cell {
        tat: AtomicU64::new(0),
        origin: clock::now(),
    });
    service_fn(move |request| {
        let taken = cell.take(interval, tolerance);
        async move {
            taken?;
            Noop.call(request).await
        }
    })
}

/// A hash of the key by a secret, one clock, and one compare-and-swap in the first place from where the
/// hash points to that is the key's, or nobody's yet: two keys never share one.
pub(crate) fn keyed_gcra(
    keys: usize,
    interval: Duration,
    burst: NonZeroU32,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let interval = interval.as_nanos() as u64;
    let tolerance = interval * u64::from(burst.get() - 1);
    // Half of them stay empty, as in any table that is searched quickly; there are no more keys.
    let places: Arc<[Place]> = (0..(2 * keys).next_power_of_two())
        .map(|_| Place::default())
        .collect();
    let (secret, origin) = (RandomState::new(), clock::now());
    service_fn(move |request| {
        let hash = secret.hash_one(request);
        let taken = take(&place(&places, hash).tat, origin, interval, tolerance);
        async move {
            taken?;
            Noop.call(request).await
        }
    })
}

/// Two draws, two looks at pending calls and latency, two clocks, three writes; in a set of endpoints
/// that discovery may swap while calls read it, as without that nobody can come or go.
pub(crate) fn p2c(
    endpoints: usize,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let endpoints = Arc::new(ArcSwap::from_pointee(new_endpoints(endpoints)));
    service_fn(move |request| {
        let pending = pick(&endpoints.load());
        observed(pending, request)
    })
}

/// The same for endpoints that stay what they are: less than a balancer must do.
pub(crate) fn p2c_of_a_fixed_set(
    endpoints: usize,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let endpoints: Arc<[Arc<Endpoint>]> = new_endpoints(endpoints).into();
    service_fn(move |request| observed(pick(&endpoints), request))
}

// === impl Circuit ===

impl Circuit {
    fn admits(&self) -> bool {
        let until = self.open_until.load(Relaxed);
        until == 0 || nanos(self.origin.elapsed()) >= until
    }

    fn count(&self, ok: bool) {
        let second = self.origin.elapsed().as_secs();
        let calls = &self.calls[second as usize % 2];
        let one = if ok { 1 } else { 1 << BAD_SHIFT };
        let (before, first) = (calls.load(Relaxed), (second << SECOND_SHIFT) + one);
        // What is two seconds old is no part of the window; of two who find it the second finds it gone.
        if (before ^ first) >> SECOND_SHIFT != 0
            && calls
                .compare_exchange(before, first, Relaxed, Relaxed)
                .is_ok()
        {
            return;
        }
        calls.fetch_add(one, Relaxed);
    }
}

// === impl Cell ===

impl Cell {
    fn take(&self, interval: u64, tolerance: u64) -> Result<(), Rejected> {
        take(&self.tat, self.origin, interval, tolerance)
    }
}

// === impl Endpoint ===

impl Endpoint {
    fn load(&self) -> f64 {
        f64::from_bits(self.latency.load(Relaxed)) * (1 + self.pending.load(Relaxed)) as f64
    }

    fn learn(&self, latency: Duration) {
        let before = self.latency.load(Relaxed);
        let average = f64::from_bits(before);
        let average = average + (nanos(latency) as f64 - average) / 8.0;
        // Whoever comes second has nothing to add.
        _ = self
            .latency
            .compare_exchange(before, average.to_bits(), Relaxed, Relaxed);
    }
}

// === impl Pending ===

impl Pending {
    fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.pending.fetch_add(1, Relaxed);
        Self(endpoint)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Relaxed);
    }
}

fn new_endpoints(endpoints: usize) -> Vec<Arc<Endpoint>> {
    (0..endpoints).map(|_| Arc::default()).collect()
}

fn pick(endpoints: &[Arc<Endpoint>]) -> Pending {
    let (one, other) = two_of(endpoints);
    let lighter = if one.load() <= other.load() {
        one
    } else {
        other
    };
    Pending::new(Arc::clone(lighter))
}

async fn observed(pending: Pending, request: u64) -> Result<u64, <Noop as Service<u64>>::Error> {
    let begun = clock::now();
    let answer = Noop.call(request).await;
    pending.0.learn(begun.elapsed());
    answer
}

fn two_of<T>(all: &[T]) -> (&T, &T) {
    let one = fastrand::usize(..all.len());
    let other = fastrand::usize(..all.len() - 1);
    (&all[one], &all[other + usize::from(other >= one)])
}

/// Whose hash this is, by itself: of a million keys two are alike once in 37 million tables.
fn place(places: &[Place], hash: u64) -> &Place {
    let owner = hash.max(1);
    let mut at = hash as usize;
    loop {
        let place = &places[at & (places.len() - 1)];
        let found = place.owner.load(Relaxed);
        let owned = match found {
            0 => place.owner.compare_exchange(0, owner, Relaxed, Relaxed),
            found => Err(found),
        };
        if owned.is_ok() || owned == Err(owner) {
            return place;
        }
        at = at.wrapping_add(1);
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_secs() * 1_000_000_000 + u64::from(duration.subsec_nanos())
}

fn take(tat: &AtomicU64, origin: Instant, interval: u64, tolerance: u64) -> Result<(), Rejected> {
    let now = nanos(origin.elapsed());
    let admit = |tat: u64| (now + tolerance >= tat).then(|| tat.max(now) + interval);
    let update = tat.fetch_update(Relaxed, Relaxed, admit);
    update.map(drop).map_err(|_| Rejected)
}
