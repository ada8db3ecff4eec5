//! What is in force, in one atomic word: the state, its generation, and the measure of the window.

use crate::{
    State,
    bucket::{BUCKETS, Epoch},
};

/// A state of the circuit. What was admitted in one era says nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

/// What a window is measured in: buckets of so many microseconds, or so many calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure(u32);

const STATE_MASK: u64 = 0b111;
const MEASURE_SHIFT: u32 = 3;
const MEASURE_MASK: u64 = (1 << 29) - 1;
const GENERATION_SHIFT: u32 = 32;
/// Marks a measure that is a number of calls.
const CALLS: u32 = 1 << 28;

// === impl Word ===

impl Word {
    pub(crate) fn new(state: State, generation: u32, measure: Measure) -> Self {
        let measure = u64::from(measure.0) & MEASURE_MASK;
        Self(u64::from(generation) << GENERATION_SHIFT | measure << MEASURE_SHIFT | state as u64)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn is_closed(self) -> bool {
        self.0 & STATE_MASK == State::Closed as u64
    }

    pub(crate) const fn state(self) -> State {
        match self.0 & STATE_MASK {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Recovering,
            5 => State::Throttling,
            6 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    pub(crate) const fn measure(self) -> Measure {
        Measure((self.0 >> MEASURE_SHIFT & MEASURE_MASK) as u32)
    }

    /// Do calls that were admitted under one of them count under the other?
    pub(crate) const fn is_same_era(self, other: Self) -> bool {
        (self.0 ^ other.0) & !STATE_MASK == 0
    }

    /// The epoch of a moment, so many nanoseconds after the origin.
    ///
    /// Every generation stands a whole window ahead of the one before: its window starts empty
    /// although nobody clears it, and what belongs to an earlier one is old.
    pub(crate) fn epoch(self, nanos: u64) -> Epoch {
        self.epoch_of(nanos / self.width())
    }

    /// The epoch of this slice of time, counted from the origin.
    #[inline]
    pub(crate) const fn epoch_of(self, slice: u64) -> Epoch {
        let ahead = self.generation() as u64 * BUCKETS as u64;
        Epoch::new(ahead + slice)
    }

    /// The width of a slice of time, in nanoseconds.
    #[inline]
    pub(crate) const fn width(self) -> u64 {
        self.measure().bucket_micros() as u64 * 1_000
    }

    /// By how much the generation must grow with another measure, so that all that was counted up
    /// to this moment is old in the new numbering, too.
    pub(crate) fn generations_past(self, measure: Measure, nanos: u64) -> u32 {
        let renumbered = Self::new(self.state(), self.generation(), measure);
        renumbered.epoch(nanos).windows_past(self.epoch(nanos))
    }
}

// === impl Measure ===

impl Measure {
    /// Buckets of so many microseconds, below 2^28.
    pub(crate) const fn bucket(micros: u32) -> Self {
        Self(if micros == 0 { 1 } else { micros & (CALLS - 1) })
    }

    /// The last so many calls, below 2^28.
    pub(crate) const fn calls(calls: u32) -> Self {
        Self(calls | CALLS)
    }

    /// How many calls, if it is measured in calls.
    #[inline]
    pub(crate) const fn as_calls(self) -> Option<u32> {
        if self.0 & CALLS == 0 {
            return None;
        }
        Some(self.0 & (CALLS - 1))
    }

    /// A window of calls has buckets for its runs of failures only: the widest there can be.
    const fn bucket_micros(self) -> u32 {
        match self.as_calls() {
            Some(_) => CALLS - 1,
            None if self.0 == 0 => 1,
            None => self.0,
        }
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;

    const STATES: [State; 8] = [
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Recovering,
        State::Throttling,
        State::Disabled,
        State::MetricsOnly,
    ];

    #[test]
    fn a_word_reads_back() {
        for state in STATES {
            for measure in [Measure::bucket(225_000_000), Measure::calls(4_096)] {
                let word = Word::new(state, u32::MAX, measure);
                let word = Word::from_bits(word.bits());
                assert_eq!(word.state(), state);
                assert_eq!(word.is_closed(), state == State::Closed);
                assert_eq!((word.generation(), word.measure()), (u32::MAX, measure));
                assert!(word.is_same_era(Word::new(State::Closed, u32::MAX, measure)));
                assert!(!word.is_same_era(Word::new(state, 0, measure)));
            }
        }
        assert_eq!(Measure::calls(7).as_calls(), Some(7));
        assert_eq!(Measure::bucket(7).as_calls(), None);
    }

    #[test]
    fn what_was_counted_by_another_measure_is_old() {
        let measures = [
            Measure::bucket(625),
            Measure::bucket(1_000),
            Measure::bucket(225_000_000),
            Measure::calls(10),
        ];
        let pairs = measures
            .iter()
            .flat_map(|one| measures.map(|other| (*one, other)));
        for (old, new) in pairs.filter(|(old, new)| old != new) {
            for nanos in [0, 1, 1_000_000_007, 86_400_000_000_000, 1 << 60] {
                let before = Word::new(State::Closed, 7, old);
                let generation = 7 + before.generations_past(new, nanos);
                let after = Word::new(State::Closed, generation, new);
                let bucket = Bucket::new();
                bucket.add(before.epoch(nanos));
                assert_eq!(bucket.count(after.epoch(nanos)), 0);
                bucket.add(after.epoch(nanos));
                assert_eq!(bucket.count(after.epoch(nanos)), 1);
            }
        }
    }
}
