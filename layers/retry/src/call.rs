//! What belongs to one call, from its first attempt to its last.

use crate::{
    AttemptTimedOut, Counted, Permit, Repeat, Settings, Wanted,
    course::Course,
    latency::P99,
    shared::{Chosen, Shared},
};
use std::{borrow::Borrow, time::Duration};
use ziggurat_core::{Attempt, Deadline, Following, Trail, Tried, clock, clock::Instant};

mod verdict;

/// What belongs to one call, whatever service answers it.
pub(crate) struct Call<S, M: Repeat<Req>, Req> {
    course: Course<Chosen<S, M>>,
    kept: M::Kept,
    /// Where the call went, until that is told in a request.
    trail: Trail,
    began: Option<Instant>,
    /// When the head of the present attempt's answer must be here.
    due: Option<Deadline>,
    counted: Counted,
    /// Nobody makes room for it before a second attempt.
    further: Option<Box<Further>>,
}

/// What belongs to the attempts after the first.
#[derive(Default)]
pub(crate) struct Further {
    /// Made when somebody is told.
    tried: Option<Tried>,
    /// Of the attempt that waits, or is under way.
    permit: Option<Permit>,
    /// Not even the first attempt was made.
    unmade: bool,
    /// The attempt that was made last, if it was not the first.
    made: u32,
    /// All tries that the call was worth were made.
    spent: bool,
}

// === impl Call ===

impl<S, M: Repeat<Req>, Req> Call<S, M, Req> {
    /// Not even the first attempt is made.
    pub(crate) fn unmade(course: Course<Chosen<S, M>>, kept: M::Kept, counted: Counted) -> Self {
        let further = Further {
            unmade: true,
            ..Further::default()
        };
        let further = Some(Box::new(further));
        Self::begun(course, kept, counted, Trail::new(), further, (None, None))
    }

    /// The first attempt is under way, since then and until then if it matters, and went there.
    #[inline(always)]
    pub(crate) const fn begun(
        course: Course<Chosen<S, M>>,
        kept: M::Kept,
        counted: Counted,
        trail: Trail,
        further: Option<Box<Further>>,
        (began, due): (Option<Instant>, Option<Deadline>),
    ) -> Self {
        Self {
            course,
            kept,
            trail,
            began,
            due,
            counted,
            further,
        }
    }

    /// When the head of the answer to the first attempt, which begins `now`, must be here.
    #[inline]
    pub(crate) fn first_due(
        shared: &Shared<M>,
        settings: &Settings,
        wanted: Wanted,
        kept: &M::Kept,
        now: Instant,
    ) -> Option<Deadline> {
        if Course::may_cut_first(settings, &wanted) {
            Self::first_cut(shared, settings, wanted, kept, now)
        } else {
            wanted.deadline
        }
    }

    #[inline(never)]
    fn first_cut(
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
        let further = &mut **self.further.get_or_insert_default();
        further.made = course.number();
        let (tried, permit) = (&mut further.tried, &mut further.permit);
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
        if std::mem::take(&mut further.unmade) {
            mode.begin(&mut self.kept, attempt, deadline.zip(now))
        } else {
            mode.make(&mut self.kept, attempt, deadline.zip(now))
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
    pub(crate) fn number(&self) -> u32 {
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

    #[inline(never)]
    fn measure(&self, took: Duration) {
        if self.course.measures() {
            let method = self.course.wanted().method;
            self.shared().state.latencies.of(method).record(took, P99);
        }
    }
}

// === impl Further ===

impl Further {
    /// Somebody is told of the first attempt.
    #[inline(never)]
    pub(crate) fn tried(further: &mut Option<Box<Self>>) -> Attempt {
        let further = further.get_or_insert_default();
        let tried = further.tried.get_or_insert_with(Tried::new);
        Attempt::new(1, tried.clone())
    }

    /// Were all tries that the call was worth made?
    fn spend(further: &mut Option<Box<Self>>, spent: bool) {
        if spent {
            further.get_or_insert_default().spent = true;
        }
    }
}
