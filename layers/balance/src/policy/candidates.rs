//! The endpoints that a policy chooses among.

use super::{Call, Candidate, Weights};
use crate::{
    chunks::Chunks,
    settings::Weighing,
    skip::Skip,
    stats::{UNKNOWN, Weighed},
};
use std::fmt;
use ziggurat_core::{Dice, EndpointId, State};

/// The endpoints that a [`Policy`](super::Policy) chooses among, as they are when it is asked.
///
/// Their indexes are those of the [`Endpoints`](super::Endpoints) that were arranged. Every method that
/// takes one panics if there is no such index.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    all: &'a Chunks<Candidate>,
    weights: &'a Weights,
    skip: &'a Skip,
    weighing: &'a Weighing,
    now: u64,
    /// Nobody is open, but for those that only their health is held against.
    last_resort: bool,
}

// === impl Candidates ===

impl<'a> Candidates<'a> {
    pub(crate) const fn new(
        all: &'a Chunks<Candidate>,
        weights: &'a Weights,
        skip: &'a Skip,
        weighing: &'a Weighing,
        now: u64,
    ) -> Self {
        Self {
            all,
            weights,
            skip,
            weighing,
            now,
            last_resort: false,
        }
    }

    /// The same; if `so`, those are open, too, that only their health is held against.
    #[inline]
    pub(crate) const fn as_last_resort(mut self, so: bool) -> Self {
        self.last_resort = so;
        self
    }

    /// How many endpoints there are, open or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Is there no endpoint?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.len() == 0
    }

    /// The name of an endpoint.
    #[must_use]
    pub fn id(&self, index: usize) -> &'a EndpointId {
        self.all[index].stats().id()
    }

    /// What an endpoint is good for.
    #[must_use]
    pub fn state(&self, index: usize) -> State {
        self.all[index].look()
    }

    /// May it be chosen: is it ready, or idle, and did this call not find it busy or broken?
    ///
    /// When nobody is, the policy is asked again, and an endpoint that is connected and ejected is
    /// open: one that does badly is better than none. So it is from the start while too few may be
    /// picked (see [`panic_threshold_percent`](crate::Settings::panic_threshold_percent)).
    #[must_use]
    pub fn is_open(&self, index: usize) -> bool {
        let candidate = &self.all[index];
        candidate.opens(candidate.look(), self.last_resort) && !self.is_skipped(candidate)
    }

    /// Is it open, connected, and did no earlier attempt of `call` go there?
    #[must_use]
    #[inline]
    pub fn is_good<Req>(&self, index: usize, call: &Call<'_, Req>) -> bool {
        self.takes(&self.all[index], call)
    }

    #[inline]
    pub(crate) fn at(&self, index: usize) -> &'a Candidate {
        &self.all[index]
    }

    /// As [`is_good`](Self::is_good).
    #[inline(always)]
    pub(crate) fn takes<Req>(&self, candidate: &Candidate, call: &Call<'_, Req>) -> bool {
        let state = candidate.look();
        state != State::Idle
            && candidate.opens(state, self.last_resort)
            && !self.is_skipped(candidate)
            && !call.has_tried(candidate.stats().id())
    }

    #[inline(always)]
    pub(crate) fn weigh(&self, candidate: &Candidate) -> Weighed {
        let stats = candidate.stats();
        stats.weigh(self.now, candidate.weight(), self.weighing)
    }

    #[inline]
    pub(crate) const fn weights(&self) -> &'a Weights {
        self.weights
    }

    /// What a call that goes there now has to expect: the less, the better.
    #[must_use]
    #[inline]
    pub fn load(&self, index: usize) -> f64 {
        self.weigh(&self.all[index]).load
    }

    /// Calls and streams that are open there.
    #[must_use]
    pub fn pending(&self, index: usize) -> u64 {
        self.all[index].stats().pending()
    }

    /// Its weight, as a part of the heaviest one's: above 0, up to 1.
    #[must_use]
    #[inline]
    pub fn weight(&self, index: usize) -> f64 {
        self.weights.part(self.all[index].weight())
    }

    /// How far a new endpoint has grown: from a tenth, at its first answer, to 1.
    #[must_use]
    #[inline]
    pub fn grown(&self, index: usize) -> f64 {
        self.all[index].stats().grown(self.now, self.weighing)
    }

    /// How much of its share it may have now: nothing while a first call finds out what it is like,
    /// then what it has [grown](Self::grown).
    #[must_use]
    pub fn share(&self, index: usize) -> f64 {
        if !self.all[index].stats().is_known() && self.load(index) >= UNKNOWN {
            return 0.0;
        }
        self.grown(index)
    }

    /// Any endpoint, open or not; each is as likely as it is heavy. `None`: there are none.
    #[must_use]
    pub fn draw(&self, dice: &Dice) -> Option<usize> {
        let drawn = self.weights.draw(self.len(), dice);
        (drawn < self.len()).then_some(drawn)
    }

    /// Looks at all of them: ready before idle, new to the call before tried, light before heavy.
    ///
    /// For when those that were looked at would not do.
    #[must_use]
    pub fn best<Req>(&self, call: &Call<'_, Req>) -> Option<usize> {
        let open = (0..self.len()).filter(|index| self.is_open(*index));
        let ranked = open.map(|index| {
            let tried = call.has_tried(self.id(index));
            ((self.state(index), tried), self.load(index), index)
        });
        let better = |a: &((State, bool), f64, usize), b: &((State, bool), f64, usize)| {
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        };
        ranked.min_by(better).map(|(_, _, index)| index)
    }

    #[inline]
    fn is_skipped(&self, candidate: &Candidate) -> bool {
        self.skip.contains(candidate.stats().id())
    }
}

impl fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.all, f)
    }
}
