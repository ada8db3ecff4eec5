//! What happens when a thread has nothing in hand, and there is nothing to be had: all is looked through.

use super::{
    MOST_STRIPES, Striped,
    ask::Ask,
    stripe::{All, Span, Stripe, usable},
};
use crate::{
    Rate,
    gcra::{Claim, TICKS, furthest},
};

// === impl Striped ===

impl Striped {
    /// Takes what is left everywhere, if all of that is enough.
    pub(super) fn gather(
        &self,
        stripes: &[Stripe],
        ask: Ask,
        now: u64,
        wait: u64,
    ) -> Result<(), u64> {
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
    pub(super) fn bring_back(
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
