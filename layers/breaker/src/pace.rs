//! How fast a call was, as far as it is known: one word, and nothing where nobody asks.

use crate::Settings;
use std::time::Duration;

/// Nothing, when a call began, or whether it was slow; in [`BITS`](Pace::BITS) bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace(u64);

const SLOW: u64 = (1 << Pace::BITS) - 1;
const FAST: u64 = SLOW - 1;

// === impl Pace ===

impl Pace {
    pub(crate) const UNTIMED: Self = Self(0);
    /// Enough for 146 years.
    pub(crate) const BITS: u32 = 62;

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The call began so many nanoseconds after the origin.
    pub(crate) fn since(nanos: u64) -> Self {
        Self(nanos.saturating_add(1).min(FAST - 1))
    }

    #[inline]
    pub(crate) const fn is_untimed(self) -> bool {
        self.0 == 0
    }

    /// The answer is here, so many nanoseconds after the origin: was it slow?
    pub(crate) fn known(self, nanos: u64, settings: &Settings) -> Self {
        match self.0 {
            0 | FAST | SLOW => self,
            since => {
                let took = Duration::from_nanos((nanos + 1).saturating_sub(since));
                Self(if settings.is_slow(took) { SLOW } else { FAST })
            }
        }
    }

    pub(crate) const fn is_slow(self) -> bool {
        self.0 == SLOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_settled_once() {
        let second = Duration::from_secs(1);
        let settings = Settings::new().slow_calls(second, 1.0).unwrap();
        assert!(!Pace::UNTIMED.known(u64::MAX, &settings).is_slow());
        let begun = Pace::since(5);
        assert!(!begun.known(1_000_000_005, &settings).is_slow());
        assert!(begun.known(1_000_000_006, &settings).is_slow());
        let fast = begun.known(6, &settings);
        assert!(!fast.known(2_000_000_000, &settings).is_slow());
        // A clock that goes back is no reason to panic.
        assert!(!Pace::since(u64::MAX).known(0, &settings).is_slow());
    }
}
