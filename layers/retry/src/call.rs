//! What belongs to one call, from its first attempt to its last.

use crate::{
    AttemptTimedOut, Counted, Failure, Judge, Permit, Repeat, Wanted, chain,
    course::{Course, Next, Stop},
    latency::P99,
    shared::{Chosen, Shared},
};
use std::time::Duration;
use ziggurat_core::{Attempt, BoxError, Deadline, Trail, Tried, clock, clock::Instant};

/// What belongs to one call, whatever service answers it.
pub(crate) struct Call<S, M: Repeat<Req>, Req> {
    course: Course<Chosen<S, M>>,
    kept: M::Kept,
    /// An attempt was made.
    begun: bool,
    /// Where the call went, until that is told in a request.
    trail: Trail,
    /// Made when somebody is told.
    tried: Option<Tried>,
    began: Option<Instant>,
    /// When the head of the present attempt's answer must be here.
    due: Option<Deadline>,
    /// Of the attempt that waits, or is under way. The first has none.
    permit: Option<Box<Permit>>,
    counted: Counted,
    /// All tries that the call was worth were made.
    spent: bool,
}

// === impl Call ===

impl<S, M: Repeat<Req>, Req> Call<S, M, Req> {
    /// A call begins `now`, if it matters when: the request of its first attempt comes along.
    #[inline]
    pub(crate) fn first(
        chosen: Chosen<S, M>,
        wanted: Wanted,
        now: Option<Instant>,
        request: Req,
    ) -> (Self, M::Request) {
        let (shared, settings) = (chosen.shared(), chosen.settings());
        let counted = shared.budget.call_at(&settings.rules, clock::now);
        let room = shared.state.rooms.mine();
        let mut tried = None;
        let attempt = || Attempt::new(1, tried.insert(Tried::new()).clone());
        let deadline = wanted.deadline.zip(now);
        let mode = &shared.mode;
        let (request, kept) = mode.first(request, settings, room, attempt, false, deadline);
        let mut call = Self {
            course: Course::new(chosen, wanted, now),
            kept,
            begun: true,
            trail: Trail::new(),
            tried,
            began: None,
            due: None,
            permit: None,
            counted,
            spent: false,
        };
        if let Some(now) = now {
            call.time(now);
        }
        (call, request)
    }

    /// A call begins `now`, if it matters when, whose first attempt has failed before it was made.
    #[cold]
    pub(crate) fn failed(
        chosen: Chosen<S, M>,
        wanted: Wanted,
        now: Option<Instant>,
        request: Req,
    ) -> Self {
        let (shared, settings) = (chosen.shared(), chosen.settings());
        let counted = shared.budget.call_at(&settings.rules, clock::now);
        let room = shared.state.rooms.mine();
        let kept = shared.mode.keep(request, settings, room);
        Self {
            course: Course::new(chosen, wanted, now),
            kept,
            begun: false,
            trail: Trail::new(),
            tried: None,
            began: None,
            due: None,
            permit: None,
            counted,
            spent: false,
        }
    }

    /// Makes the request of the attempt that [`follows`](Self::follows) has allowed, and that begins
    /// `now`, if it matters when.
    fn attempt(&mut self, now: Option<Instant>) -> M::Request {
        (self.began, self.due) = (None, None);
        if let Some(now) = now {
            self.time(now);
        }
        let mode = &self.course.source().shared().mode;
        let (course, tried, trail) = (&self.course, &mut self.tried, self.trail);
        let attempt = || {
            let tried = tried.get_or_insert_with(|| Tried::from(trail)).clone();
            Attempt::new(course.number(), tried).pushback(course.previous_pushback())
        };
        if let Some(permit) = &mut self.permit {
            permit.spend();
        }
        // Whoever serves the attempt has as long as the call: its body may follow at leisure, and the
        // attempt itself may yet be given more time.
        let deadline = course.wanted().deadline;
        if std::mem::replace(&mut self.begun, true) {
            mode.make(&mut self.kept, attempt, deadline.zip(now))
        } else {
            mode.begin(&mut self.kept, attempt, deadline.zip(now))
        }
    }

    /// The present attempt begins `now`.
    fn time(&mut self, now: Instant) {
        let shared = self.shared();
        let method = self.course.wanted().method;
        let measures = self.course.measures();
        let p99 = measures.then(|| shared.state.latencies.of(method).percentile());
        let repeatable = self.course.may_cut() && shared.mode.is_repeatable(&self.kept);
        let due = self.course.attempt_deadline(now, p99.flatten(), repeatable);
        (self.began, self.due) = (Some(now), due);
    }

    /// Another service to call.
    pub(crate) fn another(&self) -> S
    where
        S: Clone,
    {
        self.course.source().another()
    }

    /// Runs `f`, a part of the present attempt, and remembers where that went.
    #[inline]
    pub(crate) fn follow<T>(&mut self, f: impl FnOnce() -> T) -> T {
        match self.tried {
            // The request tells.
            Some(_) => f(),
            None => self.trail.follow(f),
        }
    }

    /// [`attempt`](Self::attempt), now.
    pub(crate) fn attempt_now(&mut self) -> M::Request {
        let needs_time = Course::needs_time(self.course.settings(), self.course.wanted());
        self.attempt(needs_time.then(clock::now))
    }

    /// The present attempt, or the one that follows the pause; the first is 1.
    pub(crate) const fn number(&self) -> u32 {
        self.course.number()
    }

    /// When the timer of the present attempt goes off.
    pub(crate) fn timer(&self) -> Option<Deadline> {
        let enforced = self.is_cut() || self.course.settings().enforce_deadline;
        self.due.filter(|_| enforced)
    }

    /// When the whole call must be over, if this layer sees to it.
    pub(crate) fn last_timer(&self) -> Option<Deadline> {
        let enforced = self.course.settings().enforce_deadline;
        self.course.wanted().deadline.filter(|_| enforced)
    }

    /// The attempt's time is up. `None`: there is no use in ending it, for no other can follow.
    pub(crate) fn time_out(&mut self) -> Option<AttemptTimedOut> {
        let useful = self.course.is_strict() || self.shared().mode.is_repeatable(&self.kept);
        if self.is_cut() && !useful && !self.is_over() {
            self.due = self.course.wanted().deadline;
            return None;
        }
        let after = match (self.due, self.began) {
            (Some(due), Some(began)) => due.remaining(began),
            _ => Duration::ZERO,
        };
        self.measure(after);
        self.shared()
            .observer
            .timed_out(self.course.number(), after);
        Some(AttemptTimedOut::new(self.course.number(), after))
    }

    /// Decides whether another attempt follows this result, and after how long.
    pub(crate) fn follows<Rsp>(&mut self, result: &Result<Rsp, BoxError>) -> Option<Duration>
    where
        M: Judge<Rsp>,
    {
        match self.shared().mode.judge(result) {
            Some(failure) => self.follows_failure(&failure),
            None => {
                self.shared()
                    .budget
                    .succeeded(&self.course.settings().rules);
                if let Some(began) = self.began.filter(|_| self.course.measures()) {
                    self.measure(clock::now().saturating_duration_since(began));
                }
                None
            }
        }
    }

    /// Decides whether another attempt follows this failure, and after how long.
    pub(crate) fn follows_failure(&mut self, failure: &Failure) -> Option<Duration> {
        let now = clock::now();
        let before = self.course.number();
        let rules = self.course.settings().rules;
        // The attempt is over; and before the attempts are counted, as grpc-go has it.
        self.permit = None;
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
                self.spent = failure.is_forbidden();
                return None;
            }
            Next::Stop(Stop::Exhausted) => {
                self.spent = before > 1;
                shared.observer.exhausted(before);
                return None;
            }
            Next::Stop(Stop::Chained) => {
                shared.observer.chained();
                return None;
            }
            Next::Stop(Stop::OutOfTime) => {
                self.spent = before > 1;
                shared.observer.out_of_time();
                return None;
            }
        };
        if paid {
            self.permit = shared.budget.withdraw(&rules, now).map(Box::new);
            if self.permit.is_none() {
                self.spent = true;
                shared.observer.out_of_budget();
                return None;
            }
        }
        // Last, for an answer that is returned keeps its request; and now, not when the next attempt
        // is made, or what the last one goes on reading meanwhile could outgrow the limit.
        if !shared.mode.rewind(&mut self.kept) {
            self.spent = before > 1;
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
        let unmade = u32::from(self.permit.is_some());
        self.spent = self.course.number() - unmade > 1;
        self.shared().observer.out_of_time();
    }

    /// No attempt follows: this is what the caller gets.
    pub(crate) fn finish<Rsp>(&mut self, result: &mut Result<Rsp, BoxError>)
    where
        M: Judge<Rsp>,
    {
        self.permit = None;
        self.counted = Counted::default();
        let shared = self.course.source().shared();
        shared.mode.commit(&mut self.kept);
        if self.spent {
            self.shared().mode.give_up(result);
            chain::give_up();
        }
    }

    fn shared(&self) -> &Shared<M> {
        self.course.source().shared()
    }

    /// Must the attempt be over before the call?
    fn is_cut(&self) -> bool {
        match (self.due, self.course.wanted().deadline) {
            (Some(own), Some(whole)) => own < whole,
            (own, _) => own.is_some(),
        }
    }

    /// Must the whole call be over by now?
    pub(crate) fn is_over(&self) -> bool {
        let whole = self.course.wanted().deadline;
        whole.is_some_and(|whole| whole.is_over(clock::now()))
    }

    fn measure(&self, took: Duration) {
        if self.course.measures() {
            let method = self.course.wanted().method;
            self.shared().state.latencies.of(method).record(took, P99);
        }
    }
}
