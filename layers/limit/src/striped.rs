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

mod stripe;

pub(crate) use self::stripe::Piece;

use self::stripe::{All, Span, Stripe, usable};
use crate::{
    Rate,
    gcra::{Claim, Gcra, TICKS, furthest},
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

/// One call at one moment.
#[derive(Clone, Copy)]
struct Ask {
    rate: Rate,
    /// In ticks.
    need: u64,
    span: Span,
}

/// Less than so many calls a piece are not worth it.
const LEAST: usize = 2;
/// All pieces together are this part of the burst.
const PART: usize = 8;
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

    /// Takes what is left everywhere, if all of that is enough.
    fn gather(&self, stripes: &[Stripe], ask: Ask, now: u64, wait: u64) -> Result<(), u64> {
        let guess = usable(stripes, ask.span);
        if guess == 0 {
            return Err(wait);
        }
        let rest = ask.need.saturating_sub(guess);
        if !matches!(self.gcra.peek(ask.rate, rest, now), Claim::Got { .. }) {
            return Err(self.exact_wait(ask, now, &|span| usable(stripes, span)));
        }
        match All::try_hold(stripes) {
            Some(all) => self.take_of_all(&all, ask, now),
            None => Err(wait),
        }
    }

    fn take_of_all(&self, all: &All<'_>, ask: Ask, now: u64) -> Result<(), u64> {
        let had = all.usable(ask.span).min(ask.need);
        if let Claim::Got { .. } = self.gcra.claim(ask.rate, ask.need - had, now, |_| 0) {
            all.take(had, ask.span);
            return Ok(());
        }
        Err(self.exact_wait(ask, now, &|span| all.usable(span)))
    }

    /// Until there is as much as is needed, by when some of what is left will be gone.
    fn exact_wait(&self, ask: Ask, now: u64, usable: &dyn Fn(Span) -> u64) -> u64 {
        let mut wait = 0;
        for _ in 0..MOST_STRIPES {
            let then = Span::new(ask.rate, now.saturating_add(wait));
            let need = ask.need.saturating_sub(usable(then));
            let next = self.gcra.wait_ticks(ask.rate, need, now);
            if next <= wait {
                return wait.max(1);
            }
            wait = next;
        }
        self.gcra.wait_ticks(ask.rate, ask.need, now).max(1)
    }

    /// The TAT is further ahead than the present rate lets anybody be: another rate made it, and also
    /// what is in the stripes. All that is void before it is brought back, or it would be given twice.
    ///
    /// Nobody can take a piece meanwhile: for that one holds a stripe. Single calls are taken without
    /// one, so of the TAT not more is taken back than was there before the time was read.
    #[cold]
    fn bring_back(
        &self,
        stripes: &[Stripe],
        cost: u32,
        present: &dyn Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        let Some(all) = All::try_hold(stripes) else {
            // Somebody else is at it, or was put aside in the midst of a call.
            return Err(1);
        };
        loop {
            let tat = self.gcra.tat();
            let (rate, now) = present();
            let furthest = furthest(rate, now);
            if tat <= furthest {
                // It was only the clock of a call that was late, twice.
                return self.take_of_all(&all, Ask::new(rate, cost, now), now);
            }
            // What calls at this rate had of a piece counts: the first slot is that after the burst.
            let pieces = all.reach(now.saturating_mul(TICKS));
            if pieces && !self.gcra.replace(tat, furthest) {
                continue;
            }
            all.void();
            return self.gcra.take(rate, cost, now, present);
        }
    }
}

// === impl Ask ===

impl Ask {
    fn new(rate: Rate, cost: u32, now: u64) -> Self {
        Self {
            rate,
            need: rate.interval().saturating_mul(cost.into()),
            span: Span::new(rate, now),
        }
    }

    /// How much to take in advance, where there is so much room: a part of the burst; little when little
    /// is left, and nothing when that is less than a call.
    fn piece(&self, stripes: usize, room: u64) -> u64 {
        let stripes = stripes as u64;
        let most = self.rate.window() / (PART as u64 * stripes);
        let most = most.min(room / (2 * stripes));
        most - most % self.rate.interval()
    }
}

// === impl Span ===

impl Span {
    const fn new(rate: Rate, now: u64) -> Self {
        Self {
            now: now.saturating_mul(TICKS),
            furthest: furthest(rate, now),
        }
    }
}

/// Is the burst so large that pieces of it are worth taking?
const fn pays(rate: Rate, stripes: usize) -> bool {
    rate.at_once() as usize >= LEAST * PART * stripes
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

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    /// Gives another thread a moment; says no.
    pub(super) fn spin() -> bool {
        #[cfg(ziggurat_loom)]
        loom::thread::yield_now();
        #[cfg(not(ziggurat_loom))]
        std::hint::spin_loop();
        false
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
