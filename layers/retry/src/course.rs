//! The course of one call: what may follow an attempt, and when. No clock, no task, no lock.

use crate::{AttemptTimeout, Failure, Settings, Wanted, Why, failure::Kind, unseen::Unseen};
use std::{borrow::Borrow, time::Duration};
use ziggurat_core::{Deadline, Dice, clock::Instant, grpc::Pushback};

/// Where a call stands.
#[derive(Debug)]
pub(crate) struct Course<S = Settings> {
    settings: S,
    wanted: Wanted,
    /// A third of what the call had when it began, if attempts are cut by what is measured.
    third: Option<Duration>,
    /// Nobody makes room for it before an attempt has failed.
    past: Option<Box<Past>>,
}

/// What came before the present attempt.
#[derive(Debug, Default)]
struct Past {
    /// Attempts after the first that were paid for.
    retries: u32,
    /// Computed delays since the server last named one.
    step: u32,
    unseen: Unseen,
    pushback: Option<Duration>,
    /// The last computed delay; zero before the first.
    delay: Duration,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Again {
        after: Duration,
        why: Why,
        /// It is paid for from the budget.
        paid: bool,
    },
    Stop(Stop),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Such a failure is not tried again.
    Final,
    Exhausted,
    OutOfTime,
    /// It serves the further attempt of another call.
    Chained,
}

/// No server makes a call wait for longer that has for ever.
pub(crate) const LONGEST_HINT: Duration = Duration::from_secs(60);

// === impl Course ===

impl Settings {
    /// Is the latency of the call's method of any use?
    const fn measures(&self, wanted: &Wanted) -> bool {
        wanted.idempotent && matches!(self.attempt_timeout, AttemptTimeout::Measured { .. })
    }
}

impl Course {
    /// Does anything about this call depend on the time before an attempt has failed?
    pub(crate) const fn needs_time(settings: &Settings, wanted: &Wanted) -> bool {
        wanted.deadline.is_some() || Self::may_cut_first(settings, wanted)
    }

    /// Could the first attempt have less time than the call?
    pub(crate) const fn may_cut_first(settings: &Settings, wanted: &Wanted) -> bool {
        match settings.attempt_timeout {
            AttemptTimeout::Off => false,
            AttemptTimeout::Fixed(_) => true,
            AttemptTimeout::Measured { .. } => wanted.idempotent,
        }
    }
}

impl<S: Borrow<Settings>> Course<S> {
    /// A call begins; `now` is needed only where [`needs_time`](Self::needs_time) says so.
    #[inline(always)]
    pub(crate) fn new(settings: S, wanted: Wanted, now: Option<Instant>) -> Self {
        // Nobody asks for it unless attempts are cut by what is measured.
        let measured = settings.borrow().measures(&wanted);
        let whole = wanted.deadline.zip(now).filter(|_| measured);
        Self {
            third: whole.map(|(deadline, now)| deadline.remaining(now) / 3),
            settings,
            wanted,
            past: None,
        }
    }

    /// Is the latency of this call's method of any use?
    pub(crate) fn measures(&self) -> bool {
        self.settings().measures(&self.wanted)
    }

    /// Does an attempt end in its time even if no other can follow?
    pub(crate) fn is_strict(&self) -> bool {
        matches!(self.settings().attempt_timeout, AttemptTimeout::Fixed(_))
    }

    /// Could an attempt follow the present one that takes too long, if the request allows it?
    pub(crate) fn may_cut(&self) -> bool {
        self.wanted.idempotent && !self.wanted.once && self.number() < self.settings().attempts
    }

    /// When the head of the answer to the attempt that begins `now` must be here. `repeatable`: the
    /// request could be made once more.
    pub(crate) fn attempt_deadline(
        &self,
        now: Instant,
        p99: Option<Duration>,
        repeatable: bool,
    ) -> Option<Deadline> {
        let may_follow = repeatable && self.may_cut();
        let timeout = match self.settings().attempt_timeout {
            AttemptTimeout::Fixed(timeout) => Some(timeout),
            AttemptTimeout::Measured { multiple, floor } if may_follow => {
                let measured = p99.map(|p99| p99.saturating_mul(multiple).max(floor));
                let limits = [measured, self.third];
                limits.into_iter().flatten().min()
            }
            _ => None,
        };
        let own = timeout.map(|timeout| Deadline::after_from(timeout, now));
        Deadline::earlier(own, self.wanted.deadline)
    }

    /// Decides what follows the present attempt, which failed at `now`.
    pub(crate) fn next(&mut self, failure: &Failure, now: Instant, dice: &Dice) -> Next {
        let past = self.past.get_or_insert_default();
        past.pushback = None;
        let hint = match failure.pushback {
            Some(Pushback::Never) => return Next::Stop(Stop::Final),
            Some(Pushback::After(hint)) => Some(hint),
            None => None,
        };
        let endless = self.wanted.deadline.is_none();
        let backoff = &self.settings.borrow().backoff;
        let unseen = past.unseen.again(failure, endless, backoff, dice);
        let (after, paid) = match unseen {
            Some(after) => (after.max(hint.unwrap_or_default()), false),
            None if failure.kind == Kind::Unsent => return Next::Stop(Stop::Exhausted),
            None if !self.is_eligible(failure) => return Next::Stop(Stop::Final),
            None if self.wanted.once => return Next::Stop(Stop::Chained),
            None if self.number() >= self.settings().attempts => {
                return Next::Stop(Stop::Exhausted);
            }
            None => (self.delay(hint, dice), true),
        };
        let too_late = match self.wanted.deadline {
            Some(deadline) => deadline <= Deadline::after_from(after, now),
            None => hint.is_some_and(|hint| hint > LONGEST_HINT),
        };
        if too_late {
            return Next::Stop(Stop::OutOfTime);
        }
        self.past.get_or_insert_default().retries += u32::from(paid);
        Next::Again {
            after,
            why: failure.why(),
            paid,
        }
    }

    /// Does this failure count against the service, as gRPC's throttling has it?
    pub(crate) fn costs(&self, failure: &Failure) -> bool {
        let unseen = match &self.past {
            Some(past) => past.unseen.covers(failure),
            None => Unseen::default().covers(failure),
        };
        !unseen && (failure.is_forbidden() || self.is_eligible(failure))
    }

    /// The present attempt; the first is 1.
    pub(crate) fn number(&self) -> u32 {
        1 + self.past.as_ref().map_or(0, |past| past.retries)
    }

    pub(crate) const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.settings.borrow()
    }

    /// Where the settings are.
    pub(crate) const fn source(&self) -> &S {
        &self.settings
    }

    pub(crate) fn previous_pushback(&self) -> Option<Duration> {
        self.past.as_ref()?.pushback
    }

    fn is_eligible(&self, failure: &Failure) -> bool {
        let harmless = !failure.may_have_acted() || self.wanted.idempotent;
        harmless && failure.is_passing(self.settings().codes)
    }

    fn delay(&mut self, hint: Option<Duration>, dice: &Dice) -> Duration {
        let past = self.past.get_or_insert_default();
        if let Some(hint) = hint {
            past.step = 0;
            past.delay = Duration::ZERO;
            past.pushback = Some(hint);
            return hint;
        }
        past.step += 1;
        let backoff = &self.settings.borrow().backoff;
        past.delay = backoff.delay_after(past.delay, past.step, dice);
        past.delay
    }
}

// It spends of a budget.
#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
