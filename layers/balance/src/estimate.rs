//! A number that fades with time, in one word that one compare-and-swap replaces.

/// An exponentially weighted value, and when it was last fed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    value: f32,
    tick: u32,
}

/// Counts in ticks of 2^20 ns (about a millisecond): 32 bits of them last for 52 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(u32);

/// How fast values fade: one over the time constant in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Decay(f32);

const TICK_BITS: u32 = 20;

/// Endpoints in use were fed a moment ago. So close to the present the first terms of the series are as
/// good as the exponential, to within four parts in a million, for a fraction of its cost.
const NEAR: f32 = 0.03;

/// Who is this close before the present comes from a thread whose clock was read a moment later.
const RACE: u32 = 1 << 16;

// === impl Estimate ===

impl Estimate {
    /// The word that stands for "never fed".
    pub(crate) const NONE: u64 = 0;

    pub(crate) const fn new(value: f32, tick: Tick) -> Self {
        Self {
            value,
            tick: tick.0,
        }
    }

    pub(crate) const fn unpack(word: u64) -> Option<Self> {
        if word == Self::NONE {
            return None;
        }
        Some(Self {
            value: f32::from_bits((word >> 32) as u32),
            tick: word as u32,
        })
    }

    pub(crate) const fn pack(self) -> u64 {
        (self.value.to_bits() as u64) << 32 | self.tick as u64
    }

    pub(crate) const fn tick(self) -> Tick {
        Tick(self.tick)
    }

    /// What it was when it was last fed.
    pub(crate) const fn value(self) -> f32 {
        self.value
    }

    /// What is left of it at `now`, as if nothing had been heard but zeroes.
    #[inline]
    pub(crate) fn at(self, now: Tick, decay: Decay) -> f32 {
        self.value * decay.kept(now.since(self.tick()))
    }

    /// Fed with `sample`: up at once, down slowly (Finagle's `PeakEwma`).
    #[inline]
    pub(crate) fn peak(self, sample: f32, now: Tick, decay: Decay) -> Self {
        if sample > self.value {
            return Self::new(sample, now);
        }
        let kept = decay.kept(now.since(self.tick()));
        Self::new(self.value * kept + sample * (1.0 - kept), now)
    }
}

// === impl Tick ===

impl Tick {
    /// Never 0 on the first round, so that no fed estimate looks like a word that was never fed.
    pub(crate) const fn at(nanos: u64) -> Self {
        Self(((nanos >> TICK_BITS) as u32).wrapping_add(1))
    }

    /// How many ticks have passed since `then`.
    pub(crate) const fn since(self, then: Self) -> u32 {
        let passed = self.0.wrapping_sub(then.0);
        if passed > u32::MAX - RACE { 0 } else { passed }
    }
}

// === impl Decay ===

impl Decay {
    pub(crate) const fn of_nanos(nanos: u64) -> Self {
        Self((1_u32 << TICK_BITS) as f32 / nanos as f32)
    }

    /// One over the time constant in ticks, which is above zero.
    pub(crate) const fn rate(self) -> f32 {
        self.0
    }

    pub(crate) const fn of_rate(rate: f32) -> Self {
        Self(rate)
    }

    /// Is it more than so many time constants ago?
    #[inline]
    pub(crate) fn is_past(self, ticks: u32, constants: f32) -> bool {
        ticks as f32 * self.0 > constants
    }

    /// How much of a value is kept after so many ticks.
    #[inline]
    pub(crate) fn kept(self, ticks: u32) -> f32 {
        if ticks == 0 {
            return 1.0;
        }
        // Without a time constant that is infinity, of which nothing is left.
        let passed = ticks as f32 * self.0;
        if passed < NEAR {
            return 1.0 - passed + passed * passed * 0.5;
        }
        (-passed).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn decay() -> Decay {
        Decay::of_nanos(10 * SECOND)
    }

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() < b.abs() * 0.002 + 1e-6
    }

    #[test]
    fn a_peak_goes_up_at_once_and_comes_down_slowly() {
        let start = Estimate::new(10.0, Tick::at(0));
        let up = start.peak(100.0, Tick::at(SECOND), decay());
        assert_eq!(up, Estimate::new(100.0, Tick::at(SECOND)));
        let down = up.peak(0.0, Tick::at(11 * SECOND), decay());
        assert!(near(down.value, 100.0 / std::f32::consts::E), "{down:?}");
        assert!(near(
            up.at(Tick::at(11 * SECOND), decay()),
            100.0 / std::f32::consts::E
        ));
    }

    #[test]
    fn a_word_reads_back_and_nothing_is_nothing() {
        let fed = Estimate::new(0.0, Tick::at(0));
        assert_eq!(Estimate::unpack(fed.pack()), Some(fed));
        assert_eq!(Estimate::unpack(Estimate::NONE), None);
    }

    #[test]
    fn a_clock_read_a_moment_earlier_changes_nothing() {
        let fed = Estimate::new(8.0, Tick::at(SECOND));
        assert_eq!(fed.at(Tick::at(SECOND / 2), decay()), 8.0);
        assert!(fed.at(Tick::at(3_600 * 24 * 40 * SECOND), decay()) < 1e-9);
    }

    #[test]
    fn close_to_the_present_the_series_is_as_good_as_the_exponential() {
        for ticks in 1..1_000 {
            let passed = f64::from(ticks) * f64::from(decay().0);
            let error = f64::from(decay().kept(ticks)) - (-passed).exp();
            assert!(error.abs() < 5e-6, "{error} after {ticks} ticks");
        }
    }

    #[test]
    fn without_decay_only_the_last_sample_counts() {
        let none = Decay::of_nanos(0);
        let fed = Estimate::new(8.0, Tick::at(0)).peak(2.0, Tick::at(SECOND), none);
        assert_eq!(fed.value, 2.0);
        assert_eq!(fed.at(Tick::at(SECOND), none), 2.0);
    }
}
