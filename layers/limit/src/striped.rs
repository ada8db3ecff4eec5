//! One limit for many threads: GCRA, of which each thread takes a piece in advance.
//!
//! ```text
//!              TAT ── one word, until two threads meet at it
//!               │ a piece of its time, at most 1/8 of the burst for all of them
//!      ┌────────┼────────┐
//!   stripe   stripe   stripe ── one per thread slot: calls take slots of it, unseen by other threads
//!      └────────┴────────┘
//!        before a call is refused, what is left of all of them is looked through
//! ```
//!
//! Why the bound stays exact: GCRA gives a call at `t` the slot `[s, s + interval)` of virtual time with
//! `t <= s` and `s + interval <= t + interval * burst`, and no slot twice. So what is admitted from `t1`
//! to `t2` has its slots, side by side or not, within `[t1, t2 + interval * burst)`: that is
//! `burst + rate * (t2 - t1)` of them at most. A piece is time that no one else gets, and
//! [`Piece`] lets a call use only what of it is within those two bounds *when it is used*: what was not
//! used in time is gone. So hoarding brings nobody more. It can bring less: a spike that comes when some
//! of it went by unused finds up to 1/8 of the burst less.

mod ask;
mod scarce;
mod stripe;
mod sync;

pub(crate) use self::stripe::Piece;

use self::{
    ask::{Ask, pays},
    stripe::{Span, Stripe, usable},
};
use crate::{
    Rate,
    gcra::{Claim, Gcra},
};
use std::sync::OnceLock;
use ziggurat_core::seat;

/// The limit that all threads share.
#[derive(Debug)]
pub(crate) struct Striped {
    gcra: Gcra,
    /// Made when two threads meet for the first time: a limit that one thread uses needs none.
    stripes: OnceLock<Box<[Stripe]>>,
}

const MOST_STRIPES: usize = 16;

// === impl Striped ===

impl Striped {
    pub(crate) fn new() -> Self {
        Self {
            gcra: Gcra::new(),
            stripes: OnceLock::new(),
        }
    }

    /// Takes `cost`, or says how many nanoseconds to wait for it; `now` is in nanoseconds. See
    /// [`Gcra::take`] for `present`.
    #[inline]
    pub(crate) fn take(
        &self,
        rate: Rate,
        cost: u32,
        now: u64,
        present: impl Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        if let Some(stripes) = self.stripes.get() {
            return self.take_striped(stripes, own(stripes), cost, (rate, now), present);
        }
        self.take_alone(cost, (rate, now), present)
    }

    /// How many nanoseconds to wait until `cost` could be taken, which may be above the burst.
    pub(crate) fn wait(&self, rate: Rate, cost: u64, now: u64) -> u64 {
        let spare = self
            .stripes
            .get()
            .map_or(0, |stripes| usable(stripes, Span::new(rate, now)));
        let need = rate.interval().saturating_mul(cost);
        self.gcra.wait_ticks(rate, need.saturating_sub(spare), now)
    }

    /// As [`wait`](Self::wait), for a call that would come now. What other threads have in hand is only
    /// looked at when there is no more elsewhere.
    pub(crate) fn look(&self, rate: Rate, cost: u32, now: u64) -> u64 {
        let ask = Ask::new(rate, cost, now);
        let mine = self.stripes.get().map(|stripes| &stripes[own(stripes)]);
        if mine.is_some_and(|mine| mine.guess().usable(ask.span) >= ask.need)
            || self.gcra.wait_ticks(rate, ask.need, now) == 0
        {
            return 0;
        }
        self.wait(rate, cost.into(), now)
    }

    /// One thread, as far as anybody saw.
    #[inline]
    fn take_alone(
        &self,
        cost: u32,
        (mut rate, mut now): (Rate, u64),
        present: impl Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        for _ in 0..2 {
            let ask = Ask::new(rate, cost, now);
            match self.gcra.claim(rate, ask.need, now, |_| 0) {
                Claim::Got { met: false, .. } => return Ok(()),
                Claim::Got { .. } => {
                    if pays(rate, slots()) {
                        self.stripes();
                    }
                    return Ok(());
                }
                Claim::Wait(wait) => return Err(wait),
                Claim::Beyond => (rate, now) = present(),
            }
        }
        // Only by way of the stripes: somebody may make them, and take pieces, just now.
        self.bring_back(self.stripes(), cost, &present)
    }

    #[cold]
    fn stripes(&self) -> &[Stripe] {
        let made = || (0..slots()).map(|_| Stripe::new()).collect();
        self.stripes.get_or_init(made)
    }

    #[inline]
    fn take_striped(
        &self,
        stripes: &[Stripe],
        slot: usize,
        cost: u32,
        (rate, now): (Rate, u64),
        present: impl Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        let ask = Ask::new(rate, cost, now);
        let mine = &stripes[slot];
        // A look first: what is refused writes nothing.
        if mine.guess().usable(ask.span) >= ask.need
            && let Some(held) = mine.try_hold()
            && held.take(ask.need, ask.span)
        {
            return Ok(());
        }
        self.refill(stripes, mine, cost, (rate, now), &present)
    }

    #[cold]
    fn refill(
        &self,
        stripes: &[Stripe],
        mine: &Stripe,
        cost: u32,
        (mut rate, mut now): (Rate, u64),
        present: &dyn Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        // Once more by the present rate and time, if these do not explain what is found.
        for _ in 0..2 {
            let ask = Ask::new(rate, cost, now);
            let claim = match self.gcra.peek(rate, ask.need, now) {
                Claim::Got { .. } => self.fill(stripes.len(), mine, ask, now),
                refused => refused,
            };
            match claim {
                Claim::Got { .. } => return Ok(()),
                Claim::Wait(wait) => return self.gather(stripes, ask, now, wait),
                Claim::Beyond => (rate, now) = present(),
            }
        }
        self.bring_back(stripes, cost, present)
    }

    /// Takes what one call needs, and a piece for those after it.
    fn fill(&self, stripes: usize, mine: &Stripe, ask: Ask, now: u64) -> Claim {
        let alone = || self.gcra.claim(ask.rate, ask.need, now, |_| 0);
        if !pays(ask.rate, stripes) {
            return alone();
        }
        // Held from before the TAT moves until the piece is there: see `bring_back`.
        let Some(held) = mine.try_hold() else {
            return alone();
        };
        let mut left = held.piece();
        let had = left.take(ask.need, ask.span);
        let more = |room| ask.piece(stripes, room);
        let claim = match ask.need - had {
            // Somebody who shares this stripe was here before.
            0 => Claim::Got {
                spare: left,
                met: false,
            },
            rest => self.gcra.claim(ask.rate, rest, now, more),
        };
        if let Claim::Got { spare, .. } = claim {
            held.set(spare);
        }
        claim
    }
}

/// The slot of this thread.
#[inline]
fn own(stripes: &[Stripe]) -> usize {
    seat::among(stripes.len())
}

/// How many stripes a limit has: twice as many as run at once, so that few threads share one.
fn slots() -> usize {
    static KNOWN: OnceLock<usize> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        (2 * cores).next_power_of_two().clamp(2, MOST_STRIPES)
    })
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
