//! A call that is hedged, as long as its first attempt may be answered at once.

use super::Settings;
use crate::{Beginning, Counted, Failure, Judge, Repeat, Wanted, shared::Chosen};
use std::sync::Arc;
use ziggurat_core::{
    Attempt, BoxError, Trail, Tried,
    clock::{self, Instant},
};

/// What belongs to one call, before anything is beside its first attempt.
pub(super) struct Start<S, M: Repeat<Req>, Req> {
    pub(super) chosen: Chosen<S, M>,
    /// `None`: those of the layer, which never change.
    watched: Option<Arc<Settings>>,
    pub(super) wanted: Wanted,
    pub(super) kept: M::Kept,
    /// Where the first attempt goes, until another is told.
    pub(super) trail: Trail,
    /// Made when somebody is told.
    pub(super) tried: Option<Tried>,
    /// When the first attempt began, if it matters.
    pub(super) began: Option<Instant>,
    pub(super) counted: Counted,
    /// Makes the later attempts.
    pub(super) again: Option<S>,
}

// === impl Start ===

impl<S, M: Repeat<Req>, Req> Start<S, M, Req> {
    /// A call begins: the request of its first attempt comes along.
    #[inline]
    pub(super) fn first(
        chosen: Chosen<S, M>,
        watched: Option<Arc<Settings>>,
        wanted: Wanted,
        again: Option<S>,
        mut request: Req,
    ) -> (Self, M::Request) {
        let (shared, own) = (chosen.shared(), chosen.settings());
        let settings = chosen.hedging().or_constant(&watched);
        let counted = shared.budget.call_at(&own.rules, clock::now);
        let timed = settings.delay.permille().is_some() || wanted.deadline.is_some();
        let began = timed.then(clock::now);
        let begins = Beginning::of(&chosen, &wanted, began);
        let mut tried = None;
        let attempt = || Attempt::new(1, tried.insert(Tried::new()).clone());
        let mut kept = shared.mode.prepare(&mut request, &begins, attempt);
        let request = shared.mode.first(request, &mut kept, &begins);
        let start = Self {
            chosen,
            watched,
            wanted,
            kept,
            trail: Trail::new(),
            tried,
            began,
            counted,
            again,
        };
        (start, request)
    }

    /// The first attempt was answered at once: what went wrong? `None`: it was a success.
    #[inline]
    pub(super) fn answered<Rsp>(&self, result: &Result<Rsp, BoxError>) -> Option<Failure>
    where
        M: Judge<Rsp>,
    {
        let shared = self.chosen.shared();
        if let Some(failure) = shared.mode.judge(result) {
            return Some(failure);
        }
        shared.budget.succeeded(&self.chosen.settings().rules);
        if let (Some(began), Some(permille)) = (self.began, self.settings().delay.permille())
            && let Some(latency) = self.chosen.hedging().latency(self.wanted.method)
        {
            let took = clock::now().saturating_duration_since(began);
            latency.record(took, permille);
        }
        None
    }

    /// Remembers where the first attempt goes meanwhile, whose `call` or poll this is.
    #[inline]
    pub(super) fn follow<T>(&mut self, f: impl FnOnce() -> T) -> T {
        self.trail.follow(f)
    }

    pub(super) fn settings(&self) -> &Settings {
        self.chosen.hedging().or_constant(&self.watched)
    }
}
