//! The limits of many keys, in bounded memory.
//!
//! ```text
//!  hash of a key ──▶ one set of sixteen places, four in a line of cache; its own line first
//!                       │ its own place         ──▶ take: one step, and no lock
//!                       │ a place that is full again, or was never taken ──▶ its own from now on
//!                       └ all sixteen in use    ──▶ the one limit of those without a place
//! ```
//!
//! A place is the hash of a key and its TAT. One whose TAT has passed says nothing that a new one would
//! not say, so it may go, and no other ever does: a key in use is never reset. Keys are told apart by 64
//! bits of SipHash with a secret of this table, so nobody can find two that share a limit; by chance one
//! in a million tables of six million keys has such a pair, and neither of the two gets more for it.
//!
//! A key that shared the one limit and finds a place later begins there where that limit was: each of its
//! calls has had a slot of its own, so it never gets more than its rate and one burst. A set remembers this
//! for all of its keys, so a new one may find less of its burst than it has earned.
//!
//! Only a key that has no place takes a lock, one of a few: no key may get two.

mod place;

use self::{
    place::{NOBODY, Place},
    sync::{AtomicU64, Mutex, MutexGuard, Ordering},
};
use crate::{
    Key, Rate,
    gcra::{Gcra, step},
};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::PoisonError,
};

/// A place for every key in use, up to a bound.
pub(crate) struct Table {
    sets: Box<[Set]>,
    /// Taken to give a place of a set away.
    locks: Box<[Mutex<()>]>,
    overflow: Gcra,
    /// Of each set, where the TAT of the overflow was when it last admitted a key of it. Changed and
    /// believed under the lock alone.
    overflowed: Box<[AtomicU64]>,
    numbers: RandomState,
    others: RandomState,
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Own,
    Overflow,
}

#[derive(Default)]
struct Set([Line; LINES]);

/// What one look at memory brings.
#[repr(align(64))]
#[derive(Default)]
struct Line([Place; 4]);

const LINES: usize = if cfg!(ziggurat_loom) { 1 } else { 4 };
const WAYS: usize = 4 * LINES;
/// How many places there are for a key, so that few of them meet in one set: with all keys in use, one
/// in a thousand has no place, and one in thirty is not in its own line.
const SPARE: usize = 2;
const LOCKS: usize = if cfg!(ziggurat_loom) { 1 } else { 64 };

// === impl Table ===

impl Table {
    /// For so many keys in use at once.
    pub(crate) fn new(keys: usize) -> Self {
        let sets = (keys * SPARE).div_ceil(WAYS).max(1);
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            overflow: Gcra::new(),
            overflowed: (0..sets).map(|_| AtomicU64::new(0)).collect(),
            numbers: RandomState::new(),
            others: RandomState::new(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: Option<&Key<'_>>) -> u64 {
        let hash = match key {
            // By a secret of their own, there is no need to say what they are.
            Some(Key::Number(number)) => self.numbers.hash_one(number),
            Some(key) => self.others.hash_one(key),
            // One byte stands for no key; none of the others is that short.
            None => self.others.hash_one(4_u8),
        };
        if hash == NOBODY { 1 } else { hash }
    }

    /// Takes `cost` of the limit of a key at this rate and time, or says how many nanoseconds to wait for
    /// it. See [`Gcra::take`] for `present`.
    #[inline]
    pub(crate) fn take(
        &self,
        hash: u64,
        cost: u32,
        at: (Rate, u64),
        present: impl Fn() -> (Rate, u64),
    ) -> (Found, Result<(), u64>) {
        let own = self.set(hash).find(hash);
        match own.and_then(|place| place.take(hash, cost, at, &present)) {
            Some(taken) => (Found::Own, taken),
            None => self.take_anew(hash, cost, &present),
        }
    }

    /// Gives back so much, at a rate and since a time, of what [`take`](Self::take) found there.
    pub(crate) fn give_back(
        &self,
        hash: u64,
        found: Found,
        taken: (Rate, u32, u64),
        present: impl Fn() -> (Rate, u64),
    ) {
        let (rate, cost, since) = taken;
        match (found, self.set(hash).find(hash)) {
            (Found::Own, Some(place)) => place.give_back(hash, taken, present),
            // So much time has passed that another has the place.
            (Found::Own, None) => {}
            (Found::Overflow, _) => {
                let ours = |_| true;
                self.overflow.give_back(ours, rate, cost, since, present);
            }
        }
    }

    /// How many nanoseconds to wait until [`take`](Self::take) would give as much.
    pub(crate) fn wait(&self, hash: u64, cost: u32, rate: Rate, now: u64) -> u64 {
        let set = self.set(hash);
        let own = set.find(hash);
        if let Some(wait) = own.and_then(|place| place.wait(hash, cost, rate, now)) {
            return wait;
        }
        match set.places().any(|place| place.is_free(now)) {
            true => step(self.overflowed(hash), rate, cost.into(), now).wait(),
            false => self.overflow.wait(rate, cost.into(), now),
        }
    }

    /// How many keys are in use: not full again.
    pub(crate) fn in_use(&self, now: u64) -> usize {
        let places = self.sets.iter().flat_map(Set::places);
        places.filter(|place| !place.is_free(now)).count()
    }

    /// For a key that has no place, as far as it saw.
    #[cold]
    fn take_anew(
        &self,
        hash: u64,
        cost: u32,
        present: &dyn Fn() -> (Rate, u64),
    ) -> (Found, Result<(), u64>) {
        let set = self.set(hash);
        let turn = self.lock(hash);
        // Under the lock: if this key had a place that another has now, this is later than that.
        let (rate, now) = present();
        let own = set.find(hash);
        let own = own.and_then(|place| place.take(hash, cost, (rate, now), present));
        // What it had of the overflow counts: no slot of that is given to it twice.
        let from = self.overflowed(hash);
        let claim = || {
            let mut places = set.home_first(hash);
            places.find_map(|place| place.claim(hash, from, cost, (rate, now)))
        };
        if let Some(taken) = own.or_else(claim) {
            return (Found::Own, taken);
        }
        // Who comes next may find one free: a slower rate may have had them in use for long.
        set.places()
            .for_each(|place| place.bring_back((rate, now), present));
        let taken = self.overflow.take(rate, cost, now, present);
        if taken.is_ok() {
            self.overflowed[self.at(hash)].store(self.overflow.tat(), Ordering::Relaxed);
        }
        drop(turn);
        (Found::Overflow, taken)
    }

    fn overflowed(&self, hash: u64) -> u64 {
        self.overflowed[self.at(hash)].load(Ordering::Relaxed)
    }

    fn at(&self, hash: u64) -> usize {
        // The upper bits, scaled: no division, and any number of sets.
        ((u128::from(hash) * self.sets.len() as u128) >> 64) as usize
    }

    fn set(&self, hash: u64) -> &Set {
        &self.sets[self.at(hash)]
    }

    fn lock(&self, hash: u64) -> MutexGuard<'_, ()> {
        let lock = &self.locks[self.at(hash) % LOCKS];
        // There is nothing behind it that a panic could leave half done.
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("places", &(self.sets.len() * WAYS))
            .finish_non_exhaustive()
    }
}

// === impl Set ===

impl Set {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().flat_map(|line| &line.0)
    }

    /// All places, those of its own line first.
    fn home_first(&self, hash: u64) -> impl Iterator<Item = &Place> {
        // The lower bits: the upper ones have chosen the set.
        let lines = (0..LINES).map(move |nth| (hash as usize + nth) % LINES);
        lines.flat_map(|line| &self.0[line].0)
    }

    #[inline]
    fn find(&self, hash: u64) -> Option<&Place> {
        let home = &self.0[hash as usize % LINES];
        home.find(hash).or_else(|| self.find_away(hash))
    }

    #[cold]
    fn find_away(&self, hash: u64) -> Option<&Place> {
        self.home_first(hash).find(|place| place.is_of(hash))
    }
}

// === impl Line ===

impl Line {
    /// All four are compared, and then one branch is taken, which is nearly always the same: nobody
    /// could guess at which of them to stop.
    #[inline]
    fn find(&self, hash: u64) -> Option<&Place> {
        let [a, b, c, d] = self.0.each_ref().map(|place| place.is_of(hash));
        let nth = 2 * usize::from(c | d) + usize::from(b | d);
        (a | b | c | d).then(|| &self.0[nth])
    }
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
