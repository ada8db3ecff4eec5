//! The one source of chance, which a test can seed.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A source of random numbers; clones of a seeded one draw from one sequence.
///
/// Not for secrets.
#[derive(Clone, Debug, Default)]
pub struct Dice {
    seeded: Option<Arc<AtomicU64>>,
}

/// The increment of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014): 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

thread_local! {
    // Our own, seeded by the operating system: fastrand's is seeded from the time since the machine
    // has started, which those that start together share, and anybody may seed it.
    // By its state, and 0 before the first draw: what needs no initializer costs half.
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

// === impl Dice ===

impl Dice {
    /// Draws from the thread's generator: nothing is shared, nothing repeats.
    #[must_use]
    pub const fn new() -> Self {
        Self { seeded: None }
    }

    /// Draws the one sequence that `seed` stands for.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seeded: Some(Arc::new(AtomicU64::new(seed))),
        }
    }

    /// Any number.
    #[must_use]
    #[inline]
    pub fn number(&self) -> u64 {
        match &self.seeded {
            None => draw(),
            Some(state) => mix(state
                .fetch_add(GAMMA, Ordering::Relaxed)
                .wrapping_add(GAMMA)),
        }
    }

    /// A number below `bound`, each as likely (to within 2^-64 times `bound`); 0 if `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: usize) -> usize {
        let scaled = u128::from(self.number()) * bound as u128;
        (scaled >> 64) as usize
    }

    /// A number from 0, included, to 1, excluded.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        // 53 bits are what a double holds.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A duration from `range.start`, included, to `range.end`, excluded; the start if it is empty.
    #[must_use]
    pub fn duration(&self, range: Range<Duration>) -> Duration {
        let span = range.end.saturating_sub(range.start);
        range.start.saturating_add(span.mul_f64(self.fraction()))
    }
}

#[inline]
fn draw() -> u64 {
    let mut random = match RANDOM.get() {
        0 => fresh(),
        state => fastrand::Rng::with_seed(state),
    };
    let number = random.u64(..);
    RANDOM.set(random.get_seed());
    number
}

#[cold]
fn fresh() -> fastrand::Rng {
    fastrand::Rng::with_seed(RandomState::new().hash_one(thread::current().id()))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_the_published_sequence() {
        let dice = Dice::seeded(1_234_567);
        let drawn: Vec<_> = (0..3).map(|_| dice.clone().number()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn no_two_threads_draw_the_same_even_if_their_own_generators_do() {
        let drawn = || {
            // What a user's simulation may do to its threads.
            fastrand::seed(7);
            let dice = Dice::new();
            [dice.number(), dice.number(), dice.number()]
        };
        let threads: Vec<_> = (0..8).map(|_| thread::spawn(drawn)).collect();
        let drawn = threads.into_iter().map(|thread| thread.join().unwrap());
        let mut numbers: Vec<_> = drawn.flatten().collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 8 * 3);
    }

    #[test]
    fn everything_stays_in_its_bounds() {
        let second = Duration::from_secs(1);
        for dice in [Dice::new(), Dice::seeded(7)] {
            for _ in 0..1_000 {
                assert!(dice.below(3) < 3);
                assert!((0.0..1.0).contains(&dice.fraction()));
                assert!((second..second * 2).contains(&dice.duration(second..second * 2)));
            }
            assert_eq!(dice.below(0), 0);
            assert_eq!(dice.duration(second..second), second);
        }
    }
}
