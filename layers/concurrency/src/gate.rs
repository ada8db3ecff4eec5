//! The permits: one number for those that are out and those who wait, and the line of the latter.
//!
//! Both counts stand in one word, so "no permit is left" and "I wait" is one step: who gives a permit
//! back after it sees somebody wait, and who gave one back before it has left room. No wake-up is lost.

use self::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::{
    line::{LEVELS, Line},
    settings::Queue,
};
use ziggurat_core::clock::Instant;

/// How many may be under way for a call of each level to be let in.
pub(crate) type Limits = [u32; LEVELS];

/// Permits, and who waits for them with tickets `T`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Gate<T> {
    /// Permits that are out in the low half, waiters in the high one.
    word: AtomicU64,
    line: Mutex<Line<T>>,
}

/// How a waiter is told.
pub(crate) trait Tell {
    /// Says it. False: nobody listens any more.
    fn tell(self, verdict: Verdict) -> bool;
}

/// What has come of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has a permit.
    Enter,
    /// A more critical call took its place.
    Displaced,
    /// Its time was up when its turn came.
    Expired,
}

/// Who asks, and how long it would wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) level: usize,
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// What somebody who asks gets.
#[derive(Debug)]
pub(crate) enum Place {
    /// A permit, and how many are out now.
    In(u32),
    /// A place in the line, until a time.
    Waiting { id: u64, until: Instant },
    /// Neither.
    Full,
}

const OUT: u64 = 1;
const WAITING: u64 = 1 << 32;

// === impl Gate ===

impl<T: Tell> Gate<T> {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            line: Mutex::new(Line::new()),
        }
    }

    pub(crate) fn out(&self) -> u32 {
        out(self.word.load(Ordering::Relaxed))
    }

    pub(crate) fn waiting(&self) -> u32 {
        waiting(self.word.load(Ordering::Relaxed))
    }

    /// Takes a permit if one is left and nobody waits; says how many are out then.
    #[inline]
    pub(crate) fn try_enter(&self, limit: u32) -> Option<u32> {
        let mut word = self.word.load(Ordering::Relaxed);
        while waiting(word) == 0 && out(word) < limit {
            // Acquire pairs with the Release in `leave`: who enters sees what those before it did.
            match self.word.compare_exchange_weak(
                word,
                word + OUT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(out(word) + 1),
                Err(present) => word = present,
            }
        }
        None
    }

    /// Takes a permit, or a place in the line, of somebody less critical if need be.
    pub(crate) fn enter(
        &self,
        ask: Ask,
        limits: &Limits,
        queue: Queue,
        ticket: impl FnOnce() -> T,
    ) -> Place {
        let mut line = self.line();
        let limit = match line.is_before(ask.level) {
            true => 0,
            false => limits[ask.level],
        };
        let room = line.len() < queue.length as usize;
        let mut displaced = None;
        let before = self.step(|word| match out(word) < limit {
            true => Some(word + OUT),
            // One step with the look: who gives a permit back after it sees us.
            false if room => Some(word + WAITING),
            false => None,
        });
        let join = |line: &mut Line<T>| {
            let (id, until) = line.push(ask, queue, ticket());
            Place::Waiting { id, until }
        };
        let place = if out(before) < limit {
            Place::In(out(before) + 1)
        } else if room {
            join(&mut line)
        } else {
            // Somebody waits as it is, and whoever gives a permit back sees that.
            displaced = line.displace(ask.level);
            match displaced {
                Some(_) => join(&mut line),
                None => Place::Full,
            }
        };
        drop(line);
        if let Some(displaced) = displaced {
            displaced.tell(Verdict::Displaced);
        }
        place
    }

    /// Gives a permit back, to the first who waits for one.
    #[inline]
    pub(crate) fn leave(&self, limits: impl FnOnce() -> Limits, now: impl FnOnce() -> Instant) {
        // Release pairs with the Acquire of whoever enters.
        let word = self.word.fetch_sub(OUT, Ordering::AcqRel);
        if waiting(word) > 0 {
            self.pass_on(&limits(), now());
        }
    }

    /// Gives up a place in the line. False: it is no longer there, and somebody will tell why.
    ///
    /// `now` is there if its time was up.
    pub(crate) fn quit(&self, level: usize, id: u64, now: Option<Instant>) -> bool {
        let mut line = self.line();
        let ticket = line.remove(level, id, now);
        if ticket.is_some() {
            self.word.fetch_sub(WAITING, Ordering::AcqRel);
        }
        drop(line);
        ticket.is_some()
    }

    /// Gives what permits there are to those who wait, and turns away whose time is up.
    #[cold]
    pub(crate) fn pass_on(&self, limits: &Limits, now: Instant) {
        // Nobody is told under the lock: what wakes a task may drop it, and a waiter with it.
        while let Some((ticket, verdict)) = self.next(limits, now) {
            if !ticket.tell(verdict) && verdict == Verdict::Enter {
                self.word.fetch_sub(OUT, Ordering::AcqRel);
            }
        }
    }

    fn next(&self, limits: &Limits, now: Instant) -> Option<(T, Verdict)> {
        let mut line = self.line();
        let level = line.first()?;
        if let Some(expired) = line.pop_expired(level, now) {
            self.word.fetch_sub(WAITING, Ordering::AcqRel);
            return Some((expired, Verdict::Expired));
        }
        // What is less critical has no more room than this level.
        let before = self.step(|word| match out(word) < limits[level] {
            true => Some(word + OUT - WAITING),
            false => None,
        });
        if out(before) >= limits[level] {
            return None;
        }
        line.pop(level).map(|ticket| (ticket, Verdict::Enter))
    }

    /// Changes the word, and tells what it was.
    fn step(&self, change: impl Fn(u64) -> Option<u64>) -> u64 {
        let mut word = self.word.load(Ordering::Acquire);
        while let Some(next) = change(word) {
            let changed =
                self.word
                    .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire);
            match changed {
                Ok(_) => break,
                Err(present) => word = present,
            }
        }
        word
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

const fn out(word: u64) -> u32 {
    word as u32
}

const fn waiting(word: u64) -> u32 {
    (word >> 32) as u32
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    };
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    };
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
