//! The limits of many keys, in bounded memory.
//!
//! ```text
//!  hash of a key ──▶ one set of seven places, under one short lock
//!                       │ its own place         ──▶ take
//!                       │ a place that is full again, or was never taken ──▶ its own from now on
//!                       └ all seven are in use  ──▶ the one limit of those without a place
//! ```
//!
//! A place is the hash of a key and its TAT. One whose TAT has passed says nothing that a new one would
//! not say, so it may go, and no other ever does: a key in use is never reset. Keys are told apart by 64
//! bits of SipHash with a secret of this table, so nobody can find two that share a limit; by chance one
//! in a million tables of six million keys has such a pair.

use crate::{
    Key, Rate,
    gcra::{Step, TICKS, step},
};
use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A place for every key in use, up to a bound.
pub(crate) struct Table {
    sets: Box<[Set]>,
    overflow: Mutex<u64>,
    hasher: RandomState,
}

/// Two cache lines: a lock and seven places.
#[repr(align(128))]
#[derive(Default)]
struct Set(Mutex<[Place; WAYS]>);

#[derive(Clone, Copy, Default)]
struct Place {
    /// The hash of the key; of none as long as the TAT is 0.
    key: u64,
    tat: u64,
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Own,
    Overflow,
}

const WAYS: usize = 7;
/// How many places there are for a key, so that few of them meet in one set: with all keys in use, one
/// in a thousand has no place.
const SPARE: usize = 3;

// === impl Table ===

impl Table {
    /// For so many keys in use at once.
    pub(crate) fn new(keys: usize) -> Self {
        let sets = (keys * SPARE).div_ceil(WAYS).max(1);
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            overflow: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn hash(&self, key: Option<&Key<'_>>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        // One byte stands for no key; none of the others is that short.
        match key {
            Some(key) => key.hash(&mut hasher),
            None => hasher.write_u8(4),
        }
        hasher.finish()
    }

    /// Takes `cost` of the limit of a key, or says how many nanoseconds to wait for it.
    ///
    /// `present` reads the rate and the time, under the lock: so no call is by an older one than the
    /// call before.
    pub(crate) fn take(
        &self,
        hash: u64,
        cost: u32,
        present: impl Fn() -> (Rate, u64),
    ) -> (Found, Result<(), u64>) {
        self.visit(hash, true, cost, present)
    }

    /// What [`take`](Self::take) would say.
    pub(crate) fn peek(&self, hash: u64, cost: u32, rate: Rate, now: u64) -> Result<(), u64> {
        self.visit(hash, false, cost, || (rate, now)).1
    }

    /// How many keys are in use: not full again.
    pub(crate) fn in_use(&self, now: u64) -> usize {
        let used = |set: &Set| {
            set.lock()
                .iter()
                .filter(|place| place.tat > now.saturating_mul(TICKS))
                .count()
        };
        self.sets.iter().map(used).sum()
    }

    fn visit(
        &self,
        hash: u64,
        keep: bool,
        cost: u32,
        present: impl Fn() -> (Rate, u64),
    ) -> (Found, Result<(), u64>) {
        let mut set = self.set(hash).lock();
        let (rate, now) = present();
        if let Some(place) = place(&mut set, hash, now) {
            let mut fresh = Place {
                key: hash,
                ..*place
            };
            let answer = advance(&mut fresh.tat, rate, cost, now);
            if keep && (answer.is_ok() || place.key == hash) {
                *place = fresh;
            }
            return (Found::Own, answer);
        }
        drop(set);
        let mut overflow = lock(&self.overflow);
        let (rate, now) = present();
        let mut tat = *overflow;
        let answer = advance(&mut tat, rate, cost, now);
        if keep {
            *overflow = tat;
        }
        (Found::Overflow, answer)
    }

    fn set(&self, hash: u64) -> &Set {
        // The upper bits, scaled: no division, and any number of sets.
        let at = (u128::from(hash) * self.sets.len() as u128) >> 64;
        &self.sets[at as usize]
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
    fn lock(&self) -> MutexGuard<'_, [Place; WAYS]> {
        lock(&self.0)
    }
}

/// The place of this key, or else one that nobody uses.
fn place(places: &mut [Place; WAYS], hash: u64, now: u64) -> Option<&mut Place> {
    let mine = |place: &Place| place.key == hash && place.tat > 0;
    let free = |place: &Place| place.tat <= now.saturating_mul(TICKS);
    let at = places
        .iter()
        .position(mine)
        .or_else(|| places.iter().position(free))?;
    Some(&mut places[at])
}

fn advance(tat: &mut u64, rate: Rate, cost: u32, now: u64) -> Result<(), u64> {
    let (next, answer) = match step(*tat, rate, cost.into(), now) {
        Step::Admit(next) => (next, Ok(())),
        Step::Wait(wait, nearer) => (nearer, Err(wait)),
    };
    *tat = next;
    answer
}

/// What panicked under the lock left a place that is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
