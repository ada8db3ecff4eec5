//! What belongs to one call, from its first attempt to its last.

use crate::{
    AttemptTimedOut, Counted, Failure, Judge, Permit, Repeat, Settings, Wanted, chain,
    course::{Course, Next, Stop},
    latency::P99,
    shared::{Chosen, Shared},
};
use std::{borrow::Borrow, time::Duration};
use ziggurat_core::{Attempt, BoxError, Deadline, Following, Trail, Tried, clock, clock::Instant};

/// What belongs to one call, whatever service answers it.
pub(crate) struct Call<S, M: Repeat<Req>, Req> {
    course: Course<Chosen<S, M>>,
    kept: M::Kept,
    /// An attempt was made.
    begun: bool,
    /// Where the call went, until that is told in a request.
    trail: Trail,
    began: Option<Instant>,
    /// When the head of the present attempt's answer must be here.
    due: Option<Deadline>,
    counted: Counted,
    /// All tries that the call was worth were made.
    spent: bool,
    /// Nobody makes room for it before a second attempt.
    further: Option<Box<Further>>,
}

/// What belongs to the attempts after the first.
#[derive(Default)]
struct Further {
    /// Made when somebody is told.
    tried: Option<Tried>,
    /// Of the attempt that waits, or is under way.
    permit: Option<Permit>,
}

// === impl Call ===

impl<S, M: Repeat<Req>, Req> Call<S, M, Req> {
    #[inline]
    pub(crate) fn new(course: Course<Chosen<S, M>>, kept: M::Kept, counted: Counted) -> Self {
        Self {
            course,
            kept,
            begun: false,
            trail: Trail::new(),
            began: None,
            due: None,
            counted,
            spent: false,
            further: None,
        }
    }

    /// The first attempt is under way, since then and until then if it matters, and went there.
    #[inline]
    pub(crate) fn begun(
        course: Course<Chosen<S, M>>,
        kept: M::Kept,
        counted: Counted,
        trail: Trail,
        tried: Option<Tried>,
        (began, due): (Option<Instant>, Option<Deadline>),
    ) -> Self {
        let further = tried.map(|tried| {
            let (tried, permit) = (Some(tried), None);
            Box::new(Further { tried, permit })
        });
        Self {
            course,
            kept,
            begun: true,
            trail,
            began,
            due,
            counted,
            spent: false,
            further,
        }
    }

    /// When the head of the answer to the first attempt, which begins `now`, must be here.
    #[inline(never)]
    pub(crate) fn first_due(
        shared: &Shared<M>,
        settings: &Settings,
        wanted: Wanted,
        kept: &M::Kept,
        now: Instant,
    ) -> Option<Deadline> {
        // What nobody has a reference to is made where it stays, and not moved there.
        Self::due(&Course::new(settings, wanted, Some(now)), shared, kept, now)
    }

    fn due<T: Borrow<Settings>>(
        course: &Course<T>,
        shared: &Shared<M>,
        kept: &M::Kept,
        now: Instant,
    ) -> Option<Deadline> {
        let method = course.wanted().method;
        let measures = course.measures();
        let p99 = measures.then(|| shared.state.latencies.of(method).percentile());
        let repeatable = course.may_cut() && shared.mode.is_repeatable(kept);
        course.attempt_deadline(now, p99.flatten(), repeatable)
    }

    /// Makes the request of the attempt that [`follows`](Self::follows) has allowed, and that begins
    /// `now`, if it matters when.
    fn attempt(&mut self, now: Option<Instant>) -> M::Request {
        self.began = now;
        self.due = now.and_then(|now| Self::due(&self.course, self.shared(), &self.kept, now));
        let mode = &self.course.source().shared().mode;
        let (course, trail) = (&self.course, self.trail);
        let Further { tried, permit } = &mut **self.further.get_or_insert_default();
        if let Some(permit) = permit {
            permit.spend();
        }
        let attempt = || {
            let tried = tried.get_or_insert_with(|| Tried::from(trail)).clone();
            Attempt::new(course.number(), tried).pushback(course.previous_pushback())
        };
        // Whoever serves the attempt has as long as the call: its body may follow at leisure, and the
        // attempt itself may yet be given more time.
        let deadline = course.wanted().deadline;
        if std::mem::replace(&mut self.begun, true) {
            mode.make(&mut self.kept, attempt, deadline.zip(now))
        } else {
            mode.begin(&mut self.kept, attempt, deadline.zip(now))
        }
    }

    /// Another service to call.
    pub(crate) fn another(&self) -> S
    where
        S: Clone,
    {
        self.course.source().another()
    }

    /// Remembers where the present attempt goes meanwhile. Nobody notes it where the request tells.
    #[inline]
    pub(crate) fn follow(&mut self) -> Following<'_> {
        self.trail.enter()
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
    #[inline]
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
            let Some(permit) = shared.budget.withdraw(&rules, now) else {
                self.spent = true;
                shared.observer.out_of_budget();
                return None;
            };
            self.further.get_or_insert_default().permit = Some(permit);
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
        let permit = self
            .further
            .as_ref()
            .and_then(|further| further.permit.as_ref());
        let unmade = u32::from(permit.is_some());
        self.spent = self.course.number() - unmade > 1;
        self.shared().observer.out_of_time();
    }

    /// No attempt follows: this is what the caller gets.
    #[inline]
    pub(crate) fn finish<Rsp>(&mut self, result: &mut Result<Rsp, BoxError>)
    where
        M: Judge<Rsp>,
    {
        self.give_permit_back();
        self.counted = Counted::default();
        let shared = self.course.source().shared();
        shared.mode.commit(&mut self.kept);
        if self.spent {
            self.give_up(result);
        }
    }

    #[cold]
    fn give_up<Rsp>(&self, result: &mut Result<Rsp, BoxError>)
    where
        M: Judge<Rsp>,
    {
        self.shared().mode.give_up(result);
        chain::give_up();
    }

    #[inline]
    fn give_permit_back(&mut self) {
        if let Some(further) = &mut self.further {
            further.permit = None;
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
