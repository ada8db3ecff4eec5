//! What the end of an attempt means, with others beside it.

use super::Heat;
use crate::{Failure, Judge, Repeat, course::LONGEST_HINT, hedge::race::Hint};
use std::time::Duration;
use ziggurat_core::{
    BoxError,
    clock::{self, Instant},
    grpc::Pushback,
};

/// How much a failure tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::hedge) enum Weight {
    /// It never got to a server.
    Here,
    Underway,
    Answered,
}

// === impl Heat ===

impl<S, M: Repeat<Req>, Req> Heat<S, M, Req> {
    /// What went wrong with an attempt, if anything did.
    pub(in crate::hedge) fn judge<Rsp>(&self, result: &Result<Rsp, BoxError>) -> Option<Failure>
    where
        M: Judge<Rsp>,
    {
        self.shared().mode.judge(result)
    }

    /// The attempt in this lane is the answer.
    pub(in crate::hedge) fn won(&mut self, lane: usize) {
        let rules = &self.chosen.settings().rules;
        self.shared().budget.succeeded(rules);
        self.measure(lane);
        self.race.scratch(lane);
    }

    /// The attempt in this lane, whose turn this was, has failed. It is the answer if none comes that
    /// weighs more; `None`: unless another attempt succeeds at this very moment.
    pub(in crate::hedge) fn failed(
        &mut self,
        lane: usize,
        turn: u32,
        failure: &Failure,
    ) -> Option<Weight> {
        if self.survivor().is_some_and(|survivor| survivor != turn) {
            // Its request was taken from it.
            self.race.scratch(lane);
            return Some(Weight::Here);
        }
        self.lost(lane, failure, clock::now())
    }

    fn lost(&mut self, lane: usize, failure: &Failure, now: Instant) -> Option<Weight> {
        let codes = self.settings.codes;
        let passing = failure.is_passing(codes);
        if !self.unseen.covers(failure) && (passing || failure.is_forbidden()) {
            let rules = &self.chosen.settings().rules;
            self.shared().budget.failed(rules);
        }
        let hint = match failure.pushback {
            None => Hint::Now,
            Some(Pushback::After(hint)) if self.is_bearable(hint) => Hint::After(hint),
            Some(_) => Hint::Never,
        };
        if hint != Hint::Never && self.is_sent_again(lane, failure, hint, now) {
            return Some(Weight::Here);
        }
        if !passing && !failure.is_local() {
            self.race.scratch(lane);
            self.spent = failure.is_forbidden();
            return None;
        }
        self.spent |= failure.is_forbidden();
        self.pushback = match hint {
            Hint::After(hint) => Some(hint),
            _ => None,
        };
        let hint = if failure.is_decided() {
            Hint::Never
        } else {
            hint
        };
        self.race.failed(lane, hint, now);
        Some(Weight::of(failure))
    }

    /// Has no server seen the attempt, so that it is sent again and counts for nothing?
    fn is_sent_again(&mut self, lane: usize, failure: &Failure, hint: Hint, now: Instant) -> bool {
        let endless = self.wanted.deadline.is_none();
        let backoff = &self.chosen.settings().backoff;
        let dice = &self.chosen.shared().dice;
        let again = self.unseen.again(failure, endless, backoff, dice);
        let asked = match hint {
            Hint::After(hint) => hint,
            _ => Duration::ZERO,
        };
        again.is_some_and(|after| self.race.again(lane, after.max(asked), now))
    }

    /// No peer makes a call wait for ever.
    fn is_bearable(&self, hint: Duration) -> bool {
        self.wanted.deadline.is_some() || hint <= LONGEST_HINT
    }

    /// Measures first attempts alone: later ones that win are the quick ones. One that was overtaken
    /// would have taken longer, and longer than the delay.
    fn measure(&self, winner: usize) {
        let (Some(began), Some(permille)) = (self.began, self.settings.delay.permille()) else {
            return;
        };
        let took = clock::now().saturating_duration_since(began);
        let outlasted = self.race.is_running(0) && took >= self.race.delay();
        if (winner == 0 || outlasted)
            && let Some(latency) = self.chosen.hedging().latency(self.wanted.method)
        {
            latency.record(took, permille);
        }
    }
}

// === impl Weight ===

impl Weight {
    fn of(failure: &Failure) -> Self {
        match failure {
            failure if failure.is_local() => Self::Here,
            failure if failure.is_answer() => Self::Answered,
            _ => Self::Underway,
        }
    }
}
