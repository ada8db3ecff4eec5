//! What an attempt's end means for its call.

use super::{Call, Further};
use crate::{
    Failure, Judge, Repeat, chain,
    course::{Next, Stop},
};
use std::time::Duration;
use ziggurat_core::{BoxError, clock, clock::Instant};

impl<S, M: Repeat<Req>, Req> Call<S, M, Req> {
    /// What went wrong with the present attempt, if anything did.
    #[inline]
    pub(crate) fn judge<Rsp>(&self, result: &Result<Rsp, BoxError>) -> Option<Failure>
    where
        M: Judge<Rsp>,
    {
        self.shared().mode.judge(result)
    }

    /// Nothing went wrong with the present attempt.
    #[inline]
    pub(crate) fn succeeded(&self) {
        let rules = &self.course.settings().rules;
        self.shared().budget.succeeded(rules);
        if let Some(began) = self.began {
            self.took(began);
        }
    }

    #[inline(never)]
    fn took(&self, began: Instant) {
        if self.course.measures() {
            self.measure(clock::now().saturating_duration_since(began));
        }
    }

    /// Decides whether another attempt follows this failure, and after how long.
    pub(crate) fn follows(&mut self, failure: &Failure) -> Option<Duration> {
        let now = clock::now();
        let before = self.course.number();
        let rules = self.course.settings().rules;
        // The attempt is over; and before the attempts are counted, as grpc-go has it.
        self.give_permit_back();
        if self.course.costs(failure) {
            self.shared().budget.failed(&rules);
        }
        let dice = self.shared().dice.clone();
        let next = self.course.next(failure, now, &dice);
        let shared = self.course.source().shared();
        let (after, why, paid) = match next {
            Next::Again { after, why, paid } => (after, why, paid),
            Next::Stop(Stop::Final) => {
                // Somebody below has given up: whoever serves a call here hears of it, too.
                Further::spend(&mut self.further, failure.is_forbidden());
                return None;
            }
            Next::Stop(Stop::Exhausted) => {
                Further::spend(&mut self.further, before > 1);
                shared.observer.exhausted(before);
                return None;
            }
            Next::Stop(Stop::Chained) => {
                shared.observer.chained();
                return None;
            }
            Next::Stop(Stop::OutOfTime) => {
                Further::spend(&mut self.further, before > 1);
                shared.observer.out_of_time();
                return None;
            }
        };
        if paid {
            let Some(permit) = shared.budget.withdraw(&rules, now) else {
                Further::spend(&mut self.further, true);
                shared.observer.out_of_budget();
                return None;
            };
            self.further.get_or_insert_default().permit = Some(permit);
        }
        // Last, for an answer that is returned keeps its request; and now, not when the next attempt
        // is made, or what the last one goes on reading meanwhile could outgrow the limit.
        if !shared.mode.rewind(&mut self.kept) {
            Further::spend(&mut self.further, before > 1);
            if shared.mode.is_crowded(&self.kept) {
                shared.observer.crowded();
            } else {
                shared.observer.unrepeatable();
            }
            return None;
        }
        shared.observer.retried(self.course.number(), why, after);
        Some(after)
    }

    /// The attempt that was to follow is not made: the service was not ready for it in time.
    pub(crate) fn too_late(&mut self) {
        let permit = self
            .further
            .as_ref()
            .and_then(|further| further.permit.as_ref());
        let unmade = u32::from(permit.is_some());
        Further::spend(&mut self.further, self.course.number() - unmade > 1);
        self.shared().observer.out_of_time();
    }

    /// No attempt follows: this is what the caller gets.
    #[inline]
    pub(crate) fn finish<Rsp>(&mut self, result: &mut Result<Rsp, BoxError>)
    where
        M: Judge<Rsp>,
    {
        self.counted.end();
        self.course.source().shared().mode.commit(&mut self.kept);
        if self.further.is_some() {
            self.finish_further(result);
        }
    }

    #[inline(never)]
    fn finish_further<Rsp>(&mut self, result: &mut Result<Rsp, BoxError>)
    where
        M: Judge<Rsp>,
    {
        self.give_permit_back();
        let Some(further) = &self.further else {
            return;
        };
        let (mode, previous) = (&self.shared().mode, further.made.saturating_sub(1));
        if previous > 0 {
            mode.attempted(result, previous);
        }
        if further.spent {
            mode.give_up(result);
            chain::give_up();
        }
    }

    fn give_permit_back(&mut self) {
        if let Some(further) = &mut self.further {
            further.permit = None;
        }
    }
}
