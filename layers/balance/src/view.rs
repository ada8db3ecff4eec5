//! What a balancer shows of its endpoints.

use crate::{policy::Candidate, settings::Weighing, stats::UNKNOWN};
use std::time::Duration;
use ziggurat_core::{EndpointId, State};

/// One endpoint, as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointView {
    id: EndpointId,
    state: State,
    weight: u32,
    cost: Duration,
    load: Option<f64>,
    load_weight: Option<f64>,
    pending: u64,
    calls: u64,
    failures: u64,
}

// === impl EndpointView ===

impl EndpointView {
    pub(crate) fn new(candidate: &Candidate, weighing: &Weighing, now: u64) -> Self {
        let stats = candidate.stats();
        let known = stats.is_known();
        let load = stats.load(now, candidate.weight(), weighing);
        Self {
            id: stats.id().clone(),
            state: candidate.state(),
            weight: candidate.weight(),
            cost: Duration::from_nanos(stats.cost(now, weighing) as u64),
            load: (known && load < UNKNOWN).then_some(load / 1e9),
            load_weight: stats.load_weight(now),
            pending: stats.pending(),
            calls: stats.calls(),
            failures: stats.failures(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &EndpointId {
        &self.id
    }

    /// Whether it may be picked.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its share of the calls, as a ratio to the weights of the others.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        self.weight
    }

    /// The latency to expect there, its failures included as the penalty that they are.
    #[must_use]
    pub const fn cost(&self) -> Duration {
        self.cost
    }

    /// What picks compare: the cost in seconds, times what is pending. `None`: nothing is known
    /// yet, or any more.
    #[must_use]
    pub const fn load(&self) -> Option<f64> {
        self.load
    }

    /// What it weighs by its own reports of its load, where the policy wants to know and they count.
    #[must_use]
    pub const fn load_weight(&self) -> Option<f64> {
        self.load_weight
    }

    /// Calls and streams that are open there.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// Calls that have ended there, well or not.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls that failed there, those that it had no room for included.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }
}
