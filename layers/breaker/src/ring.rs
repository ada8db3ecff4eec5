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
/// that are under way, and who finds them impossible makes nothing of them.
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
        let Some(position) = self.take(generation) else {
            return;
        };
        let size = size.clamp(1, MOST);
        let slot = &self.slots[(position % size) as usize];
        if let Some(before) = put(slot, mark.slot(generation)) {
            self.add(generation, mark.sums().minus(before));
        }
    }

    /// The sums of this generation, whose window has `size` calls. `None`: they are being written.
    pub(crate) fn totals(&self, generation: u32, size: u32) -> Option<Totals> {
        let word = self.sums.load(Ordering::Relaxed);
        if word >> ERA != u64::from(generation) & ERA_MASK {
            return Some(Totals::default());
        }
        let Sums {
            calls,
            failures,
            slow,
        } = Sums::of_word(word);
        let possible = calls <= size.clamp(1, MOST) as u16 && failures <= calls && slow <= calls;
        possible.then(|| Totals {
            successes: u64::from(calls - failures),
            failures: failures.into(),
            slow: slow.into(),
        })
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
