//! What belongs to one call that is hedged, whatever service answers it.

use super::{Settings, race::Race, start::Start};
use crate::{
    AttemptTimedOut, Counted, Judge, Permit, Repeat, Wanted, chain,
    latency::Latency,
    shared::{Chosen, Shared},
    unseen::Unseen,
};
use std::time::Duration;
use ziggurat_core::{
    Attempt, BoxError, Deadline, Trail, Tried,
    clock::{self, Instant},
};

mod verdict;

pub(super) use self::verdict::Weight;

/// What belongs to one call that is hedged.
pub(super) struct Heat<S, M: Repeat<Req>, Req> {
    pub(super) race: Race,
    chosen: Chosen<S, M>,
    settings: Settings,
    wanted: Wanted,
    kept: M::Kept,
    /// Where the first attempt went, before another was told.
    trail: Trail,
    /// Made when somebody is told.
    tried: Option<Tried>,
    /// When the first attempt began, if it matters.
    began: Option<Instant>,
    unseen: Unseen,
    /// What the server asked for that answered last.
    pushback: Option<Duration>,
    counted: Counted,
    /// How many attempts were made after the first.
    further: u32,
    /// All tries that the call was worth were made.
    spent: bool,
}

// === impl Heat ===

impl<S, M: Repeat<Req>, Req> Heat<S, M, Req> {
    /// The first attempt of a call that began like this is not answered at once.
    pub(super) fn of(start: Start<S, M, Req>) -> Self {
        let settings = *start.settings();
        let Start {
            chosen,
            wanted,
            kept,
            trail,
            tried,
            began,
            counted,
            ..
        } = start;
        let measured = settings.delay.permille().is_some();
        let latency = measured.then(|| chosen.hedging().latency(wanted.method));
        let so_far = latency.flatten().and_then(Latency::percentile);
        let delay = settings.delay.after(so_far);
        Self {
            race: Race::new(settings.attempts, delay, wanted.deadline),
            chosen,
            settings,
            wanted,
            kept,
            trail,
            tried,
            began,
            unseen: Unseen::default(),
            pushback: None,
            counted,
            further: 0,
            spent: false,
        }
    }

    /// Another service to call.
    pub(super) fn another_service(&self) -> S
    where
        S: Clone,
    {
        self.chosen.another()
    }

    /// The request of the attempt in this lane, beside those under way, and its turn; `None` if it
    /// cannot be made any more.
    pub(super) fn another(&mut self, lane: usize) -> Option<(M::Request, u32)> {
        let turn = self.chosen.shared().mode.join(&mut self.kept);
        let turn = turn?;
        if lane > 0 {
            self.further = self.further.max(lane as u32);
            self.shared().observer.hedged(lane as u32 + 1);
        }
        let now = self.wanted.deadline.is_some().then(clock::now);
        Some((self.make(lane, now), turn))
    }

    /// Remembers where the first attempt goes meanwhile, and tells it where others went. Nobody notes
    /// it here where its request tells.
    pub(super) fn follow<T>(&mut self, f: impl FnOnce() -> T) -> T {
        match &self.tried {
            Some(tried) => tried.follow(f),
            None => self.trail.follow(f),
        }
    }

    /// Pays for the next attempt, if it can be made.
    pub(super) fn pay(&mut self, now: Instant) -> Option<Permit> {
        let shared = self.chosen.shared();
        if !shared.mode.is_repeatable(&self.kept) {
            if shared.mode.is_crowded(&self.kept) {
                shared.observer.crowded();
            } else {
                shared.observer.unrepeatable();
            }
            return None;
        }
        let rules = &self.chosen.settings().rules;
        let permit = shared.budget.withdraw(rules, now);
        if permit.is_none() {
            shared.observer.out_of_budget();
            self.spent = true;
        }
        permit
    }

    /// The turn of the only attempt that can go on, if there is but one.
    pub(super) fn survivor(&self) -> Option<u32> {
        self.shared().mode.survivor(&self.kept)
    }

    /// When the whole call must be over, if this layer sees to it.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let enforced = self.chosen.settings().enforce_deadline;
        self.wanted.deadline.filter(|_| enforced)
    }

    /// The call's time is up.
    pub(super) fn time_out(&mut self, now: Instant) -> AttemptTimedOut {
        let number = self.race.opened() as u32;
        let began = self.began.unwrap_or(now);
        let after = now.saturating_duration_since(began);
        self.shared().observer.timed_out(number, after);
        self.spent = number > 1;
        AttemptTimedOut::new(number, after)
    }

    /// This result, of the attempt whose turn this was, is the answer.
    pub(super) fn choose(&mut self, turn: u32) {
        self.chosen.shared().mode.choose(&mut self.kept, turn);
    }

    /// The attempt in this lane is dropped: another one's answer came first.
    pub(super) fn overtaken(&self, lane: usize) {
        self.shared().observer.overtaken(lane as u32 + 1);
    }

    /// All attempts have failed.
    pub(super) fn exhausted(&mut self) {
        self.spent |= self.race.opened() > 1;
    }

    /// This is what the caller gets: a failure, or an answer.
    pub(super) fn finish<Rsp>(&mut self, result: &mut Result<Rsp, BoxError>, failed: bool)
    where
        M: Judge<Rsp>,
    {
        self.counted = Counted::default();
        self.chosen.shared().mode.commit(&mut self.kept);
        if self.further > 0 {
            self.shared().mode.attempted(result, self.further);
        }
        if self.spent && failed {
            self.shared().mode.give_up(result);
            chain::give_up();
        }
    }

    fn make(&mut self, lane: usize, now: Option<Instant>) -> M::Request {
        let (trail, pushback) = (self.trail, self.pushback);
        let tried = &mut self.tried;
        let attempt = || {
            let tried = tried.get_or_insert_with(|| Tried::from(trail)).clone();
            Attempt::new(lane as u32 + 1, tried).pushback(pushback)
        };
        let deadline = self.wanted.deadline.zip(now);
        let mode = &self.chosen.shared().mode;
        mode.make(&mut self.kept, attempt, deadline)
    }

    fn shared(&self) -> &Shared<M> {
        self.chosen.shared()
    }
}
