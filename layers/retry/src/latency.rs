//! How long answers take, so that an attempt that takes much longer can be given up, or hedged.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The latencies of the methods of one service: a histogram each, made when it is first needed.
#[derive(Debug)]
pub(crate) struct Latencies([OnceLock<Box<Latency>>; METHODS]);

/// A histogram of the last thousand answers or so, and one percentile of it.
///
/// Buckets are an eighth of a power of two wide. When it is full every count is halved: what is
/// old fades with the calls that come, and stays as long as none do.
///
/// All orderings are relaxed: a lost count changes nothing that matters.
#[derive(Debug)]
pub(crate) struct Latency {
    counts: [AtomicU32; BUCKETS],
    samples: AtomicU32,
    /// In nanoseconds; 0 while it is not known.
    percentile: AtomicU64,
}

/// One answer in a hundred takes longer.
pub(crate) const P99: u32 = 990;
/// Methods beyond so many share a histogram with another.
const METHODS: usize = 64;
/// Fewer samples say nothing about one in a hundred.
const ENOUGH: u32 = 100;
const FULL: u32 = ENOUGH + 16 * STRIDE;
const HALF_FULL: u32 = ENOUGH + 8 * STRIDE;
/// How many samples the percentile may lag behind.
const STRIDE: u32 = 64;
/// Eighths of the powers of two from 2^10 ns, about a microsecond, to 2^38 ns, about 4.5 minutes.
const BUCKETS: usize = 28 * 8;
const FINEST: u32 = 10;

// === impl Latencies ===

impl Latencies {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; METHODS])
    }

    /// The latency of the method with this hash.
    pub(crate) fn of(&self, method: u64) -> &Latency {
        let slot = &self.0[method as usize % METHODS];
        slot.get_or_init(Box::default)
    }
}

// === impl Latency ===

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU32::new(0) }; BUCKETS],
            samples: AtomicU32::new(0),
            percentile: AtomicU64::new(0),
        }
    }
}

impl Latency {
    /// An answer took this long, or at least this long; of interest is the time in which so many of
    /// a thousand answers have come.
    pub(crate) fn record(&self, took: Duration, permille: u32) {
        self.counts[bucket(took)].fetch_add(1, Relaxed);
        let samples = self.samples.fetch_add(1, Relaxed) + 1;
        if samples >= ENOUGH && (samples - ENOUGH).is_multiple_of(STRIDE) {
            if samples == FULL {
                self.fade();
            }
            self.find(permille);
        }
    }

    /// The percentile, not below the true one and at most an eighth above it.
    pub(crate) fn percentile(&self) -> Option<Duration> {
        match self.percentile.load(Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    fn fade(&self) {
        for count in &self.counts {
            count.fetch_sub(count.load(Relaxed) / 2, Relaxed);
        }
        // Not what is really left: others may have counted on meanwhile, far past FULL, and then it
        // would never be met again. This way every further fade comes closer.
        self.samples.store(HALF_FULL, Relaxed);
    }

    fn find(&self, permille: u32) {
        let counts = self.counts.each_ref().map(|count| count.load(Relaxed));
        let all = counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let mut slower = all * u64::from(1_000_u32.saturating_sub(permille)) / 1_000;
        for (bucket, count) in counts.iter().enumerate().rev() {
            if u64::from(*count) > slower {
                self.percentile.store(upper_edge(bucket), Relaxed);
                return;
            }
            slower -= u64::from(*count);
        }
    }
}

fn bucket(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1 << FINEST);
    let power = nanos.ilog2();
    let eighth = (nanos >> (power - 3)) & 7;
    ((power - FINEST) as usize * 8 + eighth as usize).min(BUCKETS - 1)
}

const fn upper_edge(bucket: usize) -> u64 {
    let power = FINEST + bucket as u32 / 8;
    let eighth = bucket as u64 % 8;
    (9 + eighth) << (power - 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn too_few_answers_say_nothing() {
        let latency = Latency::default();
        (1..ENOUGH).for_each(|_| latency.record(MS, P99));
        assert_eq!(latency.percentile(), None);
        latency.record(MS, P99);
        assert!(latency.percentile().is_some());
    }

    #[test]
    fn the_percentile_is_not_below_the_truth_and_hardly_above_it() {
        for nanos in [1, 900, 1_500, 20_000, 1_000_000, 123_456_789, 9_000_000_000] {
            let latency = Latency::default();
            for n in 1..=1_000 {
                let slow = if n % 50 == 0 { 1 } else { 10 };
                latency.record(Duration::from_nanos(nanos / slow), P99);
            }
            let p99 = latency.percentile().unwrap().as_nanos() as f64;
            let truth = nanos.max(1 << FINEST) as f64;
            assert!((truth..=truth * 1.126).contains(&p99), "{truth} {p99}");
        }
        assert!(bucket(Duration::MAX) < BUCKETS);
    }

    #[test]
    fn it_follows_a_service_that_became_slower_and_one_that_recovered() {
        let latency = Latency::default();
        (0..10_000).for_each(|_| latency.record(MS, P99));
        assert!(latency.percentile().unwrap() < 2 * MS);
        (0..200).for_each(|_| latency.record(30 * MS, P99));
        assert!(latency.percentile().unwrap() >= 30 * MS);
        (0..10_000).for_each(|_| latency.record(MS, P99));
        assert!(latency.percentile().unwrap() < 2 * MS);
    }

    #[test]
    fn threads_that_race_to_halve_leave_it_sane() {
        let latency = Latency::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20_000).for_each(|_| latency.record(MS, P99)));
            }
        });
        assert!((MS..2 * MS).contains(&latency.percentile().unwrap()));
        assert_fades(&latency);
    }

    #[test]
    fn what_was_counted_while_it_was_halved_fades_later() {
        let latency = Latency::default();
        // As if one thread had been kept from halving for so many answers of the others.
        latency.counts[bucket(MS)].store(100_000, Relaxed);
        latency.samples.store(FULL - 1, Relaxed);
        assert_fades(&latency);
    }

    fn assert_fades(latency: &Latency) {
        (0..20 * FULL).for_each(|_| latency.record(MS, P99));
        let counts = latency.counts.each_ref().map(|count| count.load(Relaxed));
        assert!(counts.iter().sum::<u32>() <= 2 * FULL, "{counts:?}");
    }

    #[test]
    fn methods_are_measured_apart() {
        let latencies = Latencies::new();
        (0..ENOUGH).for_each(|_| latencies.of(1).record(MS, P99));
        assert!(latencies.of(1).percentile().is_some());
        assert!(latencies.of(2).percentile().is_none());
    }
}
