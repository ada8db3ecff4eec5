//! The limit of one key, in a place that has been another's and will be another's.
//!
//! ```text
//!           TAT has passed             ┌── by its own key: one step of the TAT
//!  used ───────────────────▶ free ─────┤
//!   ▲                                  └── by another: under a lock, TAT to `CLAIMED`, key, TAT
//!   └──────────────────────────────────────────┘
//! ```
//!
//! Whoever finds its key here takes by one step of the TAT, and looks at the key again between reading
//! that and changing it. A place changes hands only by a step of the same TAT, so of its own key and
//! another that want it at once one finds that it was too late.

use super::sync::{AtomicU64, Ordering};
use crate::{
    Rate,
    gcra::{Gcra, Step, TICKS, nearer, step},
};

/// Two words: of one line of cache.
#[derive(Debug)]
pub(super) struct Place {
    /// The hash of a key, or [`NOBODY`].
    key: AtomicU64,
    tat: Gcra,
}

/// No hash is that.
pub(super) const NOBODY: u64 = 0;
/// Neither the key nor the TAT can be believed just now. No clock gets this far.
const CLAIMED: u64 = u64::MAX;

// === impl Place ===

impl Default for Place {
    fn default() -> Self {
        Self {
            key: AtomicU64::new(NOBODY),
            tat: Gcra::new(),
        }
    }
}

impl Place {
    #[inline]
    pub(super) fn is_of(&self, hash: u64) -> bool {
        // Relaxed: for a first look; what is believed is read after the TAT, which orders it.
        self.key.load(Ordering::Relaxed) == hash
    }

    pub(super) fn is_free(&self, now: u64) -> bool {
        self.tat.tat() <= now.saturating_mul(TICKS)
    }

    /// Takes for this key; `None` if the place is another's.
    #[inline]
    pub(super) fn take(
        &self,
        hash: u64,
        cost: u32,
        at: (Rate, u64),
        present: impl Fn() -> (Rate, u64),
    ) -> Option<Result<(), u64>> {
        self.tat.take_while(self.ours(hash), at, cost, present)
    }

    /// Gives back what this key took; see [`Gcra::give_back`].
    pub(super) fn give_back(
        &self,
        hash: u64,
        (rate, cost, since): (Rate, u32, u64),
        present: impl Fn() -> (Rate, u64),
    ) {
        let ours = self.ours(hash);
        self.tat.give_back(ours, rate, cost, since, present);
    }

    /// How many nanoseconds this key has to wait; `None` if the place is another's.
    pub(super) fn wait(&self, hash: u64, cost: u32, rate: Rate, now: u64) -> Option<u64> {
        let tat = self.tat.tat();
        self.ours(hash)(tat).then(|| step(tat, rate, cost.into(), now).wait())
    }

    /// Takes for a new key, of what comes after `from`, and it has this place from then on; `None` if it is
    /// in use. No other place may be claimed for this key meanwhile.
    pub(super) fn claim(
        &self,
        hash: u64,
        from: u64,
        cost: u32,
        (rate, now): (Rate, u64),
    ) -> Option<Result<(), u64>> {
        let tat = self.tat.tat();
        if tat > now.saturating_mul(TICKS) {
            return None;
        }
        let next = match step(tat.max(from), rate, cost.into(), now) {
            Step::Admit(next) => next,
            Step::Wait(wait, _) => return Some(Err(wait)),
        };
        // Its own key may have come back.
        if !self.tat.replace(tat, CLAIMED) {
            return None;
        }
        // Before the TAT, whose Release shows it to whoever sees that.
        self.key.store(hash, Ordering::Relaxed);
        self.tat.replace(CLAIMED, next);
        Some(Ok(()))
    }

    /// Has it in use no longer than the present rate lets anybody be ahead; under the lock of claims.
    pub(super) fn bring_back(&self, (rate, now): (Rate, u64), present: impl Fn() -> (Rate, u64)) {
        let tat = self.tat.tat();
        if nearer(tat, rate, now).is_none() {
            return;
        }
        // After the TAT: what it was made by is not later than that.
        let (rate, now) = present();
        if let Some(nearer) = nearer(tat, rate, now) {
            // If it is another by now, its own key was here, and has brought it back.
            self.tat.replace(tat, nearer);
        }
    }

    fn ours(&self, hash: u64) -> impl Fn(u64) -> bool {
        move |tat| tat != CLAIMED && self.is_of(hash)
    }
}
