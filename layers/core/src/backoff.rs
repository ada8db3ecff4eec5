//! How long to wait before trying again.

use crate::{Dice, InvalidSetting, deadline::FAR};
use std::{fmt, time::Duration};

/// Delays that grow by a factor up to a maximum, each spread by chance.
///
/// The delay before the n-th new try (the first is 1) is
/// `min(initial * factor^(n-1), max) * U(1 - jitter, 1 + jitter)`, as gRPC defines it (gRFC A6), or
/// spread in [another way](Jitter).
///
/// # Defaults
///
/// gRPC's for connections: 1 s, times 1.6, up to 120 s, 20 % either way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
    kind: Jitter,
}

/// How a delay is spread by chance, so that those who failed together do not come back together.
///
/// `d` is `min(initial * factor^(n-1), max)`, `U` a uniform draw. All but the first are those of the
/// AWS Architecture Blog ("Exponential Backoff And Jitter", 2015).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// `d * U(1 - share, 1 + share)`: gRPC's, by the share that [`Backoff::jitter`] sets.
    #[default]
    Proportional,
    /// `U(0, d)`: spreads most, and may not wait at all.
    Full,
    /// `d/2 + U(0, d/2)`: waits for half of it at least.
    Equal,
    /// `min(max, U(initial, 3 * previous delay))`: grows by chance alone, without the factor.
    Decorrelated,
}

/// A decorrelated delay grows to this many times the one before, at most.
const DECORRELATED: u32 = 3;
/// More decorrelated draws than this in a row change nothing: they have reached any maximum.
const MANY: u32 = 64;

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self::GRPC_CONNECT
    }
}

impl Backoff {
    /// What gRPC waits between two tries to connect (grpc/grpc, `doc/connection-backoff.md`).
    pub const GRPC_CONNECT: Self = Self {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(120),
        factor: 1.6,
        jitter: 0.2,
        kind: Jitter::Proportional,
    };

    /// From `initial`, times `factor` each time, up to `max`; 20 % jitter either way.
    ///
    /// # Errors
    ///
    /// If `initial` is zero, `max` below it, or `factor` below 1 or not finite.
    pub fn new(initial: Duration, factor: f64, max: Duration) -> Result<Self, InvalidSetting> {
        if initial.is_zero() {
            return Err(invalid("initial", initial, "must be above zero"));
        }
        if max < initial {
            return Err(invalid("max", max, "must not be below initial"));
        }
        if !factor.is_finite() || factor < 1.0 {
            return Err(invalid("factor", factor, "must be at least 1"));
        }
        Ok(Self {
            initial,
            max,
            factor,
            jitter: 0.2,
            kind: Jitter::Proportional,
        })
    }

    /// Spreads each delay by this share either way ([`Jitter::Proportional`]); 0 for none.
    ///
    /// # Errors
    ///
    /// If it is not from 0 to 1.
    pub fn jitter(mut self, jitter: f64) -> Result<Self, InvalidSetting> {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(invalid("jitter", jitter, "must be from 0 to 1"));
        }
        self.jitter = jitter;
        self.kind = Jitter::Proportional;
        Ok(self)
    }

    /// Spreads each delay in this way.
    #[must_use]
    pub const fn spread(mut self, kind: Jitter) -> Self {
        self.kind = kind;
        self
    }

    /// The delay before the `n`th new try; the first is 1. It can be added to any clock: before jitter
    /// it is at most about 30 years.
    ///
    /// Whoever knows the delay before says it to [`delay_after`](Self::delay_after): here a
    /// decorrelated one draws those that it depends on anew.
    #[must_use]
    pub fn delay(&self, n: u32, dice: &Dice) -> Duration {
        if self.kind == Jitter::Decorrelated {
            let earlier = 1..n.min(MANY);
            let previous = earlier.fold(self.initial, |previous, _| {
                self.decorrelated(previous, dice)
            });
            return self.decorrelated(previous, dice);
        }
        let base = self.grown(n);
        let spread = match self.kind {
            Jitter::Full => base * dice.fraction(),
            Jitter::Equal => base * 0.5 * (1.0 + dice.fraction()),
            _ => base * (1.0 + self.jitter * (2.0 * dice.fraction() - 1.0)),
        };
        // What is spread above the longest of all durations is as long as that.
        Duration::try_from_secs_f64(spread).unwrap_or(Duration::MAX)
    }

    /// The delay before the `n`th new try, of which the one before waited for `previous`; zero for
    /// none.
    #[must_use]
    pub fn delay_after(&self, previous: Duration, n: u32, dice: &Dice) -> Duration {
        match self.kind {
            Jitter::Decorrelated => self.decorrelated(previous, dice),
            _ => self.delay(n, dice),
        }
    }

    /// `d`, in seconds.
    fn grown(&self, n: u32) -> f64 {
        let exponent = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        grown.min(self.max.min(FAR).as_secs_f64())
    }

    fn decorrelated(&self, previous: Duration, dice: &Dice) -> Duration {
        let most = previous
            .max(self.initial)
            .saturating_mul(DECORRELATED)
            .min(self.max)
            .min(FAR);
        dice.duration(self.initial.min(FAR)..most)
    }

    /// The longest delay before jitter.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("backoff", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_grow_to_the_cap() {
        let backoff = Backoff::new(200 * MS, 2.0, 1_000 * MS)
            .unwrap()
            .jitter(0.0)
            .unwrap();
        let delays: Vec<_> = (1..=5).map(|n| backoff.delay(n, &Dice::new())).collect();
        assert_eq!(
            delays,
            [200 * MS, 400 * MS, 800 * MS, 1_000 * MS, 1_000 * MS]
        );
        assert_eq!(backoff.delay(u32::MAX, &Dice::new()), 1_000 * MS);
    }

    #[test]
    fn the_longest_delay_can_be_added_to_a_clock() {
        let backoff = Backoff::new(MS, 1e9, Duration::MAX).unwrap();
        let backoff = backoff.jitter(1.0).unwrap();
        let dice = Dice::seeded(1);
        let now = crate::clock::now();
        assert!((1..100).all(|n| now.checked_add(backoff.delay(n, &dice)).is_some()));
    }

    #[test]
    fn jitter_spreads_and_stays_in_its_bounds() {
        let dice = Dice::seeded(42);
        let delays: Vec<_> = (0..100)
            .map(|_| Backoff::default().delay(1, &dice))
            .collect();
        assert!(delays.iter().all(|d| (800 * MS..=1_200 * MS).contains(d)));
        let mut distinct = delays;
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 90);
    }

    #[test]
    fn every_kind_of_jitter_keeps_to_its_formula() {
        let dice = Dice::seeded(7);
        let backoff = Backoff::new(100 * MS, 2.0, 500 * MS).unwrap();
        for n in 1..=5 {
            let grown = (100 * MS * 2_u32.pow(n - 1)).min(500 * MS);
            for _ in 0..200 {
                let draw = |kind| backoff.spread(kind).delay(n, &dice);
                assert!(draw(Jitter::Full) < grown);
                assert!((grown / 2..grown).contains(&draw(Jitter::Equal)));
                let share = draw(Jitter::Proportional).as_secs_f64() / grown.as_secs_f64();
                assert!((0.8..1.2).contains(&share), "{share}");
                let most = (100 * MS * 3_u32.pow(n)).min(500 * MS);
                assert!((100 * MS..=most).contains(&draw(Jitter::Decorrelated)));
            }
        }
        let decorrelated = backoff.spread(Jitter::Decorrelated);
        let after = (0..200).map(|_| decorrelated.delay_after(120 * MS, 9, &dice));
        assert!(after.max().unwrap() > 300 * MS);
        assert!(decorrelated.delay(u32::MAX, &dice) <= 500 * MS);
        assert!(decorrelated.delay_after(Duration::ZERO, 1, &dice) < 300 * MS);
        assert!(decorrelated.delay_after(Duration::MAX, 1, &dice) <= 500 * MS);
    }

    /// The delays of many who fail at the same time, each on a sequence of its own.
    fn sessions(backoff: Backoff) -> Vec<[f64; 4]> {
        let session = |_| {
            let (dice, mut previous) = (Dice::new(), Duration::ZERO);
            [1, 2, 3, 4].map(|n| {
                previous = backoff.delay_after(previous, n, &dice);
                previous.as_secs_f64()
            })
        };
        (0..1_000).map(session).collect()
    }

    /// Pearson's correlation.
    fn correlation(pairs: &[(f64, f64)]) -> f64 {
        let count = pairs.len() as f64;
        let (left, right): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
        let (a, b) = (mean(&left), mean(&right));
        let product =
            |f: fn(f64, f64) -> f64| -> f64 { pairs.iter().map(|(x, y)| f(x - a, y - b)).sum() };
        product(|x, y| x * y) / (product(|x, _| x * x) * product(|_, y| y * y)).sqrt()
    }

    #[test]
    fn the_delays_of_a_thousand_sessions_have_nothing_to_do_with_each_other() {
        for kind in [
            Jitter::Proportional,
            Jitter::Full,
            Jitter::Equal,
            Jitter::Decorrelated,
        ] {
            for base in [MS, 100 * MS, 1_000 * MS, 30_000 * MS] {
                let backoff = Backoff::new(base, 2.0, base * 100).unwrap().spread(kind);
                let sessions = sessions(backoff);
                // One session beside the next, and one delay beside the next in a session.
                let first = |session: &[f64; 4]| session[0];
                let neighbours = sessions
                    .windows(2)
                    .map(|pair| (first(&pair[0]), first(&pair[1])));
                let between = correlation(&neighbours.collect::<Vec<_>>());
                assert!(between.abs() < 0.15, "{kind:?} {base:?}: {between}");
                if kind != Jitter::Decorrelated {
                    let within = sessions.iter().map(|session| (session[0], session[1]));
                    let within = correlation(&within.collect::<Vec<_>>());
                    assert!(within.abs() < 0.15, "{kind:?} {base:?}: {within}");
                }
                // Not in whole seconds or milliseconds, however long they are.
                let whole = sessions
                    .iter()
                    .filter(|session| first(session).fract() == 0.0);
                assert!(whole.count() < 10, "{kind:?} {base:?}");
                let mut distinct: Vec<_> = sessions.iter().map(|s| first(s).to_bits()).collect();
                distinct.sort_unstable();
                distinct.dedup();
                assert!(
                    distinct.len() > 990,
                    "{kind:?} {base:?}: {}",
                    distinct.len()
                );
            }
        }
    }

    #[test]
    fn no_setting_is_too_much_for_a_clock() {
        let draws = [Dice::new(), Dice::seeded(7)];
        for factor in [1.0, 1e300, f64::MAX] {
            for initial in [Duration::from_nanos(1), Duration::MAX] {
                let backoff = Backoff::new(initial, factor, Duration::MAX).unwrap();
                for kind in [
                    Jitter::Proportional,
                    Jitter::Full,
                    Jitter::Equal,
                    Jitter::Decorrelated,
                ] {
                    for (n, dice) in [1, 2, 9, u32::MAX].into_iter().zip(draws.iter().cycle()) {
                        let delay = backoff.spread(kind).delay(n, dice);
                        assert!(backoff.spread(kind).delay_after(delay, n, dice) <= Duration::MAX);
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused = |backoff: Result<Backoff, InvalidSetting>| backoff.unwrap_err().to_string();
        assert!(refused(Backoff::new(Duration::ZERO, 2.0, MS)).contains("initial 0ns"));
        assert!(refused(Backoff::new(2 * MS, 2.0, MS)).contains("max 1ms"));
        assert!(refused(Backoff::new(MS, 0.5, MS)).contains("factor 0.5"));
        assert!(refused(Backoff::new(MS, f64::NAN, MS)).contains("factor NaN"));
        assert!(refused(Backoff::default().jitter(1.5)).contains("jitter 1.5"));
    }
}
