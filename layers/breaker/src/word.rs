//! What is in force, in one atomic word: the state, its generation, and the width of a bucket.

use crate::{
    State,
    bucket::{BUCKETS, Epoch},
};

/// A state of the circuit. Whoever was admitted under one word is ignored under any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const STATE_MASK: u64 = 0b11;
const WIDTH_SHIFT: u32 = 2;
const WIDTH_MASK: u64 = (1 << 30) - 1;
const GENERATION_SHIFT: u32 = 32;

// === impl Word ===

impl Word {
    /// `width` is that of a bucket in microseconds, below 2^30.
    pub(crate) fn new(state: State, generation: u32, width: u32) -> Self {
        let width = u64::from(width) & WIDTH_MASK;
        Self(u64::from(generation) << GENERATION_SHIFT | width << WIDTH_SHIFT | state as u64)
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
            _ => State::ForcedOpen,
        }
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    pub(crate) const fn width(self) -> u32 {
        (self.0 >> WIDTH_SHIFT & WIDTH_MASK) as u32
    }

    /// The epoch of a moment, so many nanoseconds after the origin.
    ///
    /// Every generation stands a whole window ahead of the one before: its window starts empty
    /// although nobody clears it, and what belongs to an earlier one is old.
    pub(crate) fn epoch(self, nanos: u64) -> Epoch {
        let width = (u64::from(self.width()) * 1_000).max(1);
        let ahead = u64::from(self.generation()) * BUCKETS as u64;
        Epoch::new(ahead + nanos / width)
    }

    /// By how much the generation must grow with buckets of another width, so that all that was
    /// counted up to this moment is old in the new numbering, too.
    pub(crate) fn generations_past(self, width: u32, nanos: u64) -> u32 {
        let renumbered = Self::new(self.state(), self.generation(), width);
        renumbered.epoch(nanos).windows_past(self.epoch(nanos))
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;

    #[test]
    fn a_word_reads_back() {
        for state in [
            State::Closed,
            State::Open,
            State::HalfOpen,
            State::ForcedOpen,
        ] {
            let word = Word::new(state, u32::MAX, 225_000_000);
            let word = Word::from_bits(word.bits());
            assert_eq!(word.state(), state);
            assert_eq!(word.is_closed(), state == State::Closed);
            assert_eq!((word.generation(), word.width()), (u32::MAX, 225_000_000));
        }
    }

    #[test]
    fn what_was_counted_in_buckets_of_another_width_is_old() {
        for (old, new) in [
            (625, 1_000),
            (1_000, 625),
            (625, 225_000_000),
            (225_000_000, 625),
        ] {
            for nanos in [0, 1, 1_000_000_007, 86_400_000_000_000, 1 << 60] {
                let before = Word::new(State::Closed, 7, old);
                let generation = 7 + before.generations_past(new, nanos);
                let after = Word::new(State::Closed, generation, new);
                let bucket = Bucket::new();
                bucket.failed(before.epoch(nanos));
                assert_eq!(bucket.totals(after.epoch(nanos)).calls(), 0);
                bucket.failed(after.epoch(nanos));
                assert_eq!(bucket.totals(after.epoch(nanos)).calls(), 1);
            }
        }
    }
}
