//! For tests: endpoints without services, and a clock without a runtime.

use super::{Call, Candidate, Candidates, Endpoints, Policy, Tally, Weights};
use crate::{
    Settings,
    chunks::{Chunks, Draft},
    facts::Facts,
    settings::Weighing,
    skip::Skip,
    stats::Stats,
};
use std::sync::Arc;
use ziggurat_core::{Attempt, Availability, CallOptions, EndpointId, Reporter, State, Tried};

pub(crate) const MILLI: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLI;
pub(crate) const NOW: u64 = 100 * SECOND;
const LONG_AGO: u64 = SECOND;

/// Endpoints that a policy chooses among.
pub(crate) struct Field<P> {
    pub(crate) all: Vec<Candidate>,
    pub(crate) availability: Vec<Availability>,
    pub(crate) skip: Skip,
    pub(crate) policy: P,
}

/// The words of a request.
pub(crate) type Words = http::Extensions;

pub(crate) fn weighing() -> Weighing {
    Settings::new().weighing()
}

pub(crate) fn stats(id: &str) -> Arc<Stats> {
    let facts = Arc::new(Facts::new("echo".into(), Settings::new().into(), None));
    Arc::new(Stats::new(EndpointId::new(id), facts))
}

/// The words of an attempt that knows which were tried.
pub(crate) fn trying(tried: &Tried) -> Words {
    let mut words = Words::new();
    words.insert(Attempt::new(2, tried.clone()));
    words
}

pub(crate) fn keyed(key: u64) -> Words {
    let mut words = Words::new();
    words.insert(CallOptions::new().hash_key(key));
    words
}

// === impl Field ===

impl<P: Policy<()>> Field<P> {
    /// So many endpoints that have answered in 10 ms for a long time.
    pub(crate) fn of(policy: P, weights: &[u32]) -> Self {
        let field = Self::new(policy, weights);
        for candidate in &field.all {
            candidate
                .stats()
                .observe(10 * MILLI, LONG_AGO, weighing().decay);
            candidate.stats().observe(10 * MILLI, NOW, weighing().decay);
        }
        field
    }

    /// So many of which nothing is known.
    pub(crate) fn new(policy: P, weights: &[u32]) -> Self {
        let availability: Vec<_> = weights.iter().map(|_| Availability::new()).collect();
        let candidates = weights.iter().enumerate().map(|(n, weight)| {
            let availability = availability[n].clone();
            Candidate::new(stats(&format!("e{n}")), availability, *weight)
        });
        Self {
            all: candidates.collect(),
            availability,
            skip: Skip::none(),
            policy,
        }
    }

    pub(crate) fn report(&self, index: usize, state: State) {
        self.availability[index].report(Reporter::Connection, state);
    }

    pub(crate) fn eject(&self, index: usize) {
        self.availability[index].report(Reporter::Health, State::Ejected);
    }

    pub(crate) fn pick(&self) -> Option<usize> {
        self.pick_for(None)
    }

    pub(crate) fn pick_for(&self, words: Option<&Words>) -> Option<usize> {
        self.picks(1, words, false)[0]
    }

    pub(crate) fn last_resort(&self) -> Option<usize> {
        self.picks(1, None, true)[0]
    }

    /// How often each is picked in 10000 picks.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.all.len()];
        for pick in self.picks(10_000, None, false) {
            counts[pick.unwrap()] += 1e-4;
        }
        counts
    }

    /// So many picks from one set.
    pub(crate) fn picks(
        &self,
        picks: usize,
        words: Option<&Words>,
        last_resort: bool,
    ) -> Vec<Option<usize>> {
        let (all, weights) = self.set();
        let (table, weighing) = (self.policy.arrange(&Endpoints::new(&all)), weighing());
        let among = Candidates::new(&all, &weights, &self.skip, &weighing, NOW);
        let among = among.as_last_resort(last_resort);
        let call = Call::new(&(), words);
        let pick = || self.policy.pick(&table, &among, &call);
        (0..picks).map(|_| pick()).collect()
    }

    fn set(&self) -> (Chunks<Candidate>, Weights) {
        let (mut draft, mut tally) = (Draft::new(), Tally::default());
        for one in &self.all {
            draft.push(one.clone());
            tally.add(one.weight());
        }
        let all = draft.copy();
        let weights = Weights::of(&all, &tally);
        (all, weights)
    }
}
