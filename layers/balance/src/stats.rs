//! What is known of one endpoint, in atomics that no pick waits for: `learn` writes it, `weigh` reads it.

pub(crate) use self::weigh::{UNKNOWN, Weighed};
use self::{
    flow::Flow,
    reported::Reported,
    sync::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};
use crate::{estimate::Estimate, facts::Facts};
use std::{fmt, sync::Arc};
use ziggurat_core::{EndpointId, State};

mod cost;
mod flow;
mod learn;
mod reported;
mod weigh;

// All orders are relaxed: each word stands for itself, and a pick that reads one of them a moment
// late picks a moment late.
#[repr(C)]
pub(crate) struct Stats {
    // First what picks read and calls write: with the count of references before it, it fills one line
    // of cache, or two halves. On a line of its own it would part from that count: one line more for
    // who is chosen, which at ten thousand endpoints costs more than neighbours who share a line.
    flow: Flow,
    /// Nanoseconds, an `Estimate`.
    latency: AtomicU64,
    /// From 0 to 1, an `Estimate`.
    failure: AtomicU64,
    /// When the first answer came; 0 before.
    born: AtomicU64,
    facts: Arc<Facts>,
    /// Failures since the last success.
    streak: AtomicU32,
    /// It was seen down or ejected, and has not been seen ready since.
    out: AtomicBool,
    // Then what is read when something is wrong, or new.
    failed: AtomicU64,
    /// When a call last went there to find out what it is like; 0 if none has.
    probed_at: AtomicU64,
    /// What it weighs by its reports, where somebody wants to know.
    reported: Reported,
    id: EndpointId,
    /// How often somebody has come or gone that they are kept for.
    incarnation: AtomicU32,
}

// === impl Stats ===

impl Stats {
    pub(crate) fn new(id: EndpointId, facts: Arc<Facts>) -> Self {
        Self {
            flow: Flow::new(),
            latency: AtomicU64::new(Estimate::NONE),
            failure: AtomicU64::new(Estimate::NONE),
            born: AtomicU64::new(0),
            facts,
            streak: AtomicU32::new(0),
            out: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            probed_at: AtomicU64::new(0),
            reported: Reported::new(),
            id,
            incarnation: AtomicU32::new(0),
        }
    }

    pub(crate) const fn id(&self) -> &EndpointId {
        &self.id
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation.load(Relaxed)
    }

    /// From now on they are kept for somebody else, or for nobody.
    pub(crate) fn succeed(&self) -> u32 {
        self.incarnation.fetch_add(1, Relaxed).wrapping_add(1)
    }

    pub(crate) fn pending(&self) -> u64 {
        self.flow.pending()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.flow.ended()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// A pick saw it in `state`: who comes back from being down or ejected starts anew.
    #[inline]
    pub(crate) fn seen(&self, state: State) {
        let out = self.out.load(Relaxed);
        match state {
            State::Ready if out && self.out.swap(false, Relaxed) => self.forget(),
            State::Down | State::Ejected if !out => self.out.store(true, Relaxed),
            _ => {}
        }
    }

    /// Has it been down or ejected since it was last ready?
    pub(crate) fn is_out(&self) -> bool {
        self.out.load(Relaxed)
    }

    #[cold]
    fn forget(&self) {
        self.probed_at.store(0, Relaxed);
        self.born.store(0, Relaxed);
        self.latency.store(Estimate::NONE, Relaxed);
        self.failure.store(Estimate::NONE, Relaxed);
        self.reported.start_over();
    }

    /// It left and is back, and may well be another process by now: how quick it is is remembered, but
    /// what it said of its load was said by the one before, and its caches are cold.
    pub(crate) fn come_back(&self, now: u64) {
        self.reported.start_over();
        if self.is_known() {
            self.born.store(now.max(1), Relaxed);
        }
    }

    /// It said how loaded it is.
    pub(crate) fn report(&self, weight: f64, now: u64) {
        self.reported.update(weight, now);
    }

    /// What it weighs by its reports, if they count now.
    pub(crate) fn load_weight(&self, now: u64) -> Option<f64> {
        self.reported.weight(now, self.facts.reports()?)
    }

    pub(crate) fn is_known(&self) -> bool {
        self.latency.load(Relaxed) != Estimate::NONE || self.failure.load(Relaxed) != Estimate::NONE
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("id", self.id())
            .field("pending", &self.pending())
            .field("calls", &self.calls())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
