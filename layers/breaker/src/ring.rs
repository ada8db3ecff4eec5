//! The results of the last so many calls, in the order in which they ended.

use self::sync::{AtomicU32, AtomicU64, Ordering};
use crate::bucket::Totals;

/// The most calls that a ring holds.
pub(crate) const MOST: u32 = if cfg!(ziggurat_loom) { 2 } else { 4_096 };

/// How a call ended, as a window counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// A slot for each of the last calls, and the sums of what stands in them.
///
/// Who records takes the next slot, puts its mark there and adds the difference to the sums: each
/// addition is exact, in whatever order they arrive. In between the sums may be off by the records
/// that are under way: who finds them impossible opens no circuit for them and closes none.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The generation, and how many slots it has taken.
    head: AtomicU64,
    /// The lower bits of the generation, and sums of 13 bits each: calls, failures, slow ones.
    sums: AtomicU64,
    slots: Box<[AtomicU32]>,
}

// A slot holds 29 bits of its generation above these.
const PRESENT: u32 = 1;
const FAILED: u32 = 1 << 1;
const SLOW: u32 = 1 << 2;
const MARKS: u32 = 3;
const TAG: u32 = u32::MAX >> MARKS;

/// So that the most that a ring holds fits in, and 25 bits are left for the generation.
const SUM: u32 = 13;
const SUM_MASK: u16 = (1 << SUM) - 1;
const ERA: u32 = 3 * SUM;
const ERA_MASK: u64 = (1 << (64 - ERA)) - 1;

// === impl Ring ===

impl Ring {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            sums: AtomicU64::new(0),
            slots: (0..MOST).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Records a call of `generation`, whose window has `size` calls.
    pub(crate) fn record(&self, generation: u32, size: u32, mark: Mark) {
        let difference = self.place(generation, size, mark);
        // One that ends as the one that it replaces changes no sum: nearly all do, once there are enough.
        if let Some(difference) = difference.filter(|sums| *sums != Sums::default()) {
            self.add(generation, difference);
        }
    }

    /// The sums of this generation, whose window has `size` calls. `None`: they are being written.
    pub(crate) fn totals(&self, generation: u32, size: u32) -> Option<Totals> {
        let sums = self.sums(generation);
        (sums == sums.within(size)).then(|| sums.totals())
    }

    /// The same, or what comes nearest while they are being written: off by no more than the records
    /// that are under way.
    pub(crate) fn nearest(&self, generation: u32, size: u32) -> Totals {
        self.sums(generation).within(size).totals()
    }

    fn sums(&self, generation: u32) -> Sums {
        let word = self.sums.load(Ordering::Relaxed);
        let present = word >> ERA == u64::from(generation) & ERA_MASK;
        if present {
            Sums::of_word(word)
        } else {
            Sums::default()
        }
    }

    /// Puts the mark into the next slot, and says what is to be added to the sums for it.
    #[inline]
    fn place(&self, generation: u32, size: u32, mark: Mark) -> Option<Sums> {
        let position = self.take(generation)?;
        let size = size.clamp(1, MOST);
        let slot = &self.slots[apart(position % size)];
        let before = put(slot, mark.slot(generation))?;
        Some(mark.sums().minus(before))
    }

    /// The next slot of `generation`. `None`: a later one is in force.
    fn take(&self, generation: u32) -> Option<u32> {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let (present, taken) = ((head >> 32) as u32, head as u32);
            let taken = match generation.wrapping_sub(present) {
                0 => taken,
                ahead if ahead < 1 << 31 => 0,
                _ => return None,
            };
            let next = u64::from(generation) << 32 | u64::from(taken.wrapping_add(1));
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match self
                .head
                .compare_exchange_weak(head, next, success, failure)
            {
                Ok(_) => return Some(taken),
                Err(other) => head = other,
            }
        }
    }

    fn add(&self, generation: u32, difference: Sums) {
        let generation = u64::from(generation) & ERA_MASK;
        let mut word = self.sums.load(Ordering::Relaxed);
        loop {
            let ahead = generation.wrapping_sub(word >> ERA) & ERA_MASK;
            let sums = match ahead {
                0 => Sums::of_word(word).plus(difference),
                ahead if ahead <= ERA_MASK / 2 => difference,
                _ => return,
            };
            let next = generation << ERA | sums.word();
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match self
                .sums
                .compare_exchange_weak(word, next, success, failure)
            {
                Ok(_) => return,
                Err(other) => word = other,
            }
        }
    }
}

/// Sums, or differences of sums, modulo 2^13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    calls: u16,
    failures: u16,
    slow: u16,
}

// === impl Sums ===

impl Sums {
    const fn of_slot(slot: u32) -> Self {
        Self {
            calls: (slot & PRESENT != 0) as u16,
            failures: (slot & FAILED != 0) as u16,
            slow: (slot & SLOW != 0) as u16,
        }
    }

    const fn of_word(word: u64) -> Self {
        Self {
            calls: word as u16 & SUM_MASK,
            failures: (word >> SUM) as u16 & SUM_MASK,
            slow: (word >> (2 * SUM)) as u16 & SUM_MASK,
        }
    }

    const fn word(self) -> u64 {
        self.calls as u64 | (self.failures as u64) << SUM | (self.slow as u64) << (2 * SUM)
    }

    /// Of a window that has so many calls: what is beyond it is too much, or a little below zero.
    fn within(self, size: u32) -> Self {
        // Half of what is beyond for either.
        const NEGATIVE: u16 = (MOST as u16 + SUM_MASK).div_ceil(2);
        let nearest = |sum: u16, most: u16| if sum < NEGATIVE { sum.min(most) } else { 0 };
        let calls = nearest(self.calls, size.clamp(1, MOST) as u16);
        Self {
            calls,
            failures: nearest(self.failures, calls),
            slow: nearest(self.slow, calls),
        }
    }

    fn totals(self) -> Totals {
        Totals {
            successes: u64::from(self.calls - self.failures),
            failures: self.failures.into(),
            slow: self.slow.into(),
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.wrapping_add(other.calls) & SUM_MASK,
            failures: self.failures.wrapping_add(other.failures) & SUM_MASK,
            slow: self.slow.wrapping_add(other.slow) & SUM_MASK,
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            calls: self.calls.wrapping_sub(other.calls) & SUM_MASK,
            failures: self.failures.wrapping_sub(other.failures) & SUM_MASK,
            slow: self.slow.wrapping_sub(other.slow) & SUM_MASK,
        }
    }
}

/// Where the nth slot is: not in a line of cache with those before and after it, which other threads
/// write at the same time.
const fn apart(nth: u32) -> usize {
    const LINES: u32 = MOST.div_ceil(64 / size_of::<u32>() as u32);
    (nth % LINES * (MOST / LINES) + nth / LINES) as usize
}

/// Puts `next` into the slot, and answers what of its generation stood there before. `None`: the slot
/// is a later generation's.
fn put(slot: &AtomicU32, next: u32) -> Option<Sums> {
    let mut before = slot.load(Ordering::Relaxed);
    loop {
        let behind = (before >> MARKS).wrapping_sub(next >> MARKS) & TAG;
        if behind != 0 && behind <= TAG / 2 {
            return None;
        }
        // Relaxed, here and everywhere: every word is complete in itself.
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        match slot.compare_exchange_weak(before, next, success, failure) {
            Ok(_) if behind == 0 => return Some(Sums::of_slot(before)),
            Ok(_) => return Some(Sums::default()),
            Err(other) => before = other,
        }
    }
}

// === impl Mark ===

impl Mark {
    pub(crate) const WELL: Self = Self {
        failed: false,
        slow: false,
    };
    pub(crate) const FAILED: Self = Self {
        failed: true,
        slow: false,
    };

    const fn slot(self, generation: u32) -> u32 {
        let failed = if self.failed { FAILED } else { 0 };
        let slow = if self.slow { SLOW } else { 0 };
        generation << MARKS | PRESENT | failed | slow
    }

    const fn sums(self) -> Sums {
        Sums::of_slot(self.slot(0))
    }
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    #[cfg(not(ziggurat_loom))]
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[cfg(test)]
mod tests;
