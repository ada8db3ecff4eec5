//! What is known of one endpoint, in atomics that no pick waits for.
//!
//! The load of an endpoint is `(latency + penalty * failure rate) * (1 + pending / weight)`: the
//! latency by Finagle's `PeakEwma`, the failure rate an average over the same time, so that failing
//! fast repels and one failure in a thousand does not.
//!
//! Of whom nothing was heard for long only what is pending tells, and one call a second finds out.

use self::{
    cost::{cost, in_a_row, is_faded},
    flow::Flow,
    reported::Reported,
    sync::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};
use crate::{
    estimate::{Decay, Estimate, Tick},
    facts::Facts,
    settings::Weighing,
};
use std::{fmt, sync::Arc, time::Duration};
use ziggurat_core::{EndpointId, State};

mod cost;
mod flow;
mod reported;

// All orders are relaxed: each word stands for itself, and a pick that reads one of them a moment
// late picks a moment late.
#[repr(C)]
pub(crate) struct Stats {
    // First what picks read and calls write: with the count of references before it, it fills one line
    // of cache, or two halves.
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

/// What a pick compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighed {
    /// How much stands behind a call that would go there now.
    pub(crate) load: f64,
    /// How much of its share a new endpoint may have, from a tenth to 1.
    pub(crate) grown: f64,
}

/// Heavier than whatever is known, and light enough to be multiplied by what is pending.
pub(crate) const UNKNOWN: f64 = 1e18;
/// What a call costs, in nanoseconds, where it is not known any more: little, so that one goes there
/// and finds out, but not without regard to what is pending.
const FORGOTTEN: f64 = 1e6;
/// A second call finds out what an endpoint is like when the first has not by then, in nanoseconds.
const PROBE: u64 = 1_000_000_000;
/// The share of a new endpoint at its start.
const FLOOR: f64 = 0.1;
/// No server can keep its clients away for longer than this.
const LONGEST_PUSHBACK: Duration = Duration::from_secs(60);

// === impl Stats ===

impl Stats {
    pub(crate) fn new(id: EndpointId, facts: Arc<Facts>) -> Self {
        Self {
            latency: AtomicU64::new(Estimate::NONE),
            failure: AtomicU64::new(Estimate::NONE),
            flow: Flow::new(),
            failed: AtomicU64::new(0),
            born: AtomicU64::new(0),
            probed_at: AtomicU64::new(0),
            streak: AtomicU32::new(0),
            out: AtomicBool::new(false),
            reported: Reported::new(),
            id,
            facts,
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

    #[inline]
    pub(crate) fn start(&self, now: u64, decay: Decay) {
        self.flow.start();
        if self.is_faded(now, decay) {
            // 0 stands for "not yet".
            self.probed_at.store(now.max(1), Relaxed);
        }
    }

    #[inline]
    pub(crate) fn finish(&self) {
        self.flow.end();
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

    /// A call took this long.
    #[inline]
    pub(crate) fn observe(&self, elapsed: u64, now: u64, decay: Decay) {
        if self.streak.load(Relaxed) != 0 {
            self.streak.store(0, Relaxed);
        }
        self.update_latency(elapsed as f32, now, decay, false);
    }

    /// A call took at least this long; how long it would have taken nobody knows.
    pub(crate) fn observe_at_least(&self, elapsed: u64, now: u64, decay: Decay) {
        if elapsed > 0 {
            self.update_latency(elapsed as f32, now, decay, true);
        }
    }

    /// The head of an answer took this long, and its end may be far away.
    pub(crate) fn observe_head(&self, elapsed: u64, now: u64, decay: Decay) {
        if self.is_faded(now, decay) {
            self.update_latency(elapsed as f32, now, decay, false);
        }
    }

    /// It asks to be left alone for this long.
    pub(crate) fn push_back(&self, retry_after: Duration, now: u64, decay: Decay) {
        let nanos = crate::settings::nanos(retry_after.min(LONGEST_PUSHBACK));
        self.observe_at_least(nanos, now, decay);
    }

    /// A call failed.
    pub(crate) fn fail(&self, now: u64, decay: Decay) {
        self.failed.fetch_add(1, Relaxed);
        let streak = self.streak.fetch_add(1, Relaxed);
        let tick = Tick::at(now);
        let latency = Estimate::unpack(self.latency.load(Relaxed));
        let since_answer = latency.map(|latency| tick.since(latency.tick()));
        let _ = self.failure.fetch_update(Relaxed, Relaxed, |word| {
            let failure = Estimate::unpack(word);
            let since_failure = failure.map(|failure| tick.since(failure.tick()));
            // A sample weighs as much as the time since the one before; the first one weighs all.
            let passed = [since_answer, since_failure].into_iter().flatten().min();
            let kept = passed.map_or(0.0, |ticks| decay.kept(ticks));
            let weight = (1.0 - kept).max(in_a_row(streak));
            let faded = failure.map_or(0.0, |failure| failure.at(tick, decay));
            let rate = (faded + weight).min(1.0);
            Some(Estimate::new(rate, tick).pack())
        });
        self.be_born(now);
    }

    /// How much stands behind a call that would go there now.
    pub(crate) fn load(&self, now: u64, weight: u32, weighing: &Weighing) -> f64 {
        self.weigh(now, weight, weighing).load
    }

    /// All that picks compare, for one look at what is known.
    #[inline(always)]
    pub(crate) fn weigh(&self, now: u64, weight: u32, weighing: &Weighing) -> Weighed {
        let pending = self.pending() as f64;
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        if latency == Estimate::NONE && failure == Estimate::NONE {
            return self.untried(pending, now);
        }
        if pending > 0.0 && is_faded(latency, failure, now, weighing.decay) {
            return self.forgotten(pending / f64::from(weight.max(1)), now);
        }
        let grown = self.grown_since(self.born.load(Relaxed), now, weighing);
        let share = f64::from(weight.max(1)) * grown;
        // The common case, without a division.
        let pending = if share == 1.0 {
            pending
        } else {
            pending / share
        };
        let load = cost(latency, failure, now, weighing) * (1.0 + pending);
        Weighed { load, grown }
    }

    /// One call finds out what it is like; until it is back, anything known is better. But it may be a
    /// long one, and then another finds out.
    #[cold]
    fn untried(&self, pending: f64, now: u64) -> Weighed {
        let load = if self.is_probed(now) && pending > 0.0 {
            UNKNOWN * (1.0 + pending)
        } else {
            0.0
        };
        // The probe is not held back.
        Weighed { load, grown: 1.0 }
    }

    /// The same of one that was known, and has calls that are open: long ones, or it has stalled.
    #[cold]
    fn forgotten(&self, pending: f64, now: u64) -> Weighed {
        let cost = if self.is_probed(now) {
            UNKNOWN
        } else {
            FORGOTTEN
        };
        let load = cost * (1.0 + pending);
        Weighed { load, grown: 1.0 }
    }

    /// Did a call go there a moment ago, to find out what it is like?
    fn is_probed(&self, now: u64) -> bool {
        let probed_at = self.probed_at.load(Relaxed);
        probed_at != 0 && now.saturating_sub(probed_at) < PROBE
    }

    /// The latency to expect, failures included, in nanoseconds.
    pub(crate) fn cost(&self, now: u64, weighing: &Weighing) -> f64 {
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        cost(latency, failure, now, weighing)
    }

    /// How much of its share a new endpoint may have, from a tenth to 1 (Envoy's slow start).
    pub(crate) fn grown(&self, now: u64, weighing: &Weighing) -> f64 {
        if !self.is_known() {
            return 1.0;
        }
        self.grown_since(self.born.load(Relaxed), now, weighing)
    }

    #[inline]
    fn grown_since(&self, born: u64, now: u64, weighing: &Weighing) -> f64 {
        let age = now.saturating_sub(born);
        if age >= weighing.slow_start {
            return 1.0;
        }
        (age as f64 / weighing.slow_start as f64).max(FLOOR)
    }

    pub(crate) fn is_known(&self) -> bool {
        self.latency.load(Relaxed) != Estimate::NONE || self.failure.load(Relaxed) != Estimate::NONE
    }

    /// Is nothing known, or nothing any more?
    #[inline]
    fn is_faded(&self, now: u64, decay: Decay) -> bool {
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        is_faded(latency, failure, now, decay)
    }

    #[inline]
    fn update_latency(&self, sample: f32, now: u64, decay: Decay, only_up: bool) {
        let tick = Tick::at(now);
        let update = |word: u64| {
            let fed = match Estimate::unpack(word) {
                None => Estimate::new(sample, tick),
                Some(known) if only_up && sample <= known.at(tick, decay) => return None,
                Some(known) => known.peak(sample, tick, decay),
            };
            // Many calls end within one tick, and only the highest has anything to say: no write.
            (fed.pack() != word).then_some(fed.pack())
        };
        let before = self.latency.fetch_update(Relaxed, Relaxed, update);
        if before == Ok(Estimate::NONE) {
            self.be_born(now);
        }
    }

    fn be_born(&self, now: u64) {
        // 0 stands for "not yet".
        let _ = self.born.compare_exchange(0, now.max(1), Relaxed, Relaxed);
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("id", &self.id)
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
