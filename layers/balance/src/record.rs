//! What a balancer does when a call has ended.

use crate::{settings::Weighing, stats::Stats};
use std::{fmt, sync::Arc, time::Duration};
use ziggurat_core::{EndpointId, Outcome, Record};

/// Measures one call, and gives its place at the endpoint back when it has ended or is dropped.
pub struct Measure {
    stats: Arc<Stats>,
    weighing: Weighing,
    began: u64,
    /// When the head of the answer came; 0 before.
    head: u64,
}

/// A body that takes longer than this, and than the head did, is a stream: how long it goes on says
/// nothing about how quick its endpoint is.
const STREAM: u64 = 1_000_000_000;

// === impl Measure ===

impl Measure {
    /// Takes a place at the endpoint; whoever makes one hands it to a `Recorder` at once.
    pub(crate) fn start(stats: Arc<Stats>, weighing: Weighing, now: u64) -> Self {
        stats.start(now);
        Self {
            stats,
            weighing,
            began: now,
            head: 0,
        }
    }

    pub(crate) fn endpoint(&self) -> &EndpointId {
        self.stats.id()
    }

    /// Is the answer to say who gave it?
    pub(crate) fn attaches(&self) -> bool {
        self.weighing.attach_picked
    }

    /// The endpoint wants to be left alone for this long.
    pub(crate) fn push_back(&self, retry_after: Duration) {
        let now = self.stats.facts().now();
        self.stats.push_back(retry_after, now, &self.weighing);
    }

    /// How long the answer took: to its end, or to its head if it is a stream.
    fn latency(&self, elapsed: u64) -> u64 {
        if self.head == 0 {
            return elapsed;
        }
        let head = self.head.saturating_sub(self.began);
        let is_stream = elapsed.saturating_sub(head) > STREAM.max(head);
        if is_stream { head } else { elapsed }
    }
}

impl Record for Measure {
    fn responded(&mut self) {
        let now = self.stats.facts().now();
        self.head = now.max(1);
        let elapsed = now.saturating_sub(self.began);
        self.stats.observe_head(elapsed, now, &self.weighing);
    }

    #[inline]
    fn settle(self, outcome: Outcome) {
        let Self {
            stats, weighing, ..
        } = &self;
        let now = stats.facts().now();
        let elapsed = now.saturating_sub(self.began);
        let latency = self.latency(elapsed);
        match outcome {
            Outcome::Success => stats.observe(latency, now, weighing),
            Outcome::Failure | Outcome::Overload => stats.fail(now, weighing),
            Outcome::Timeout => {
                stats.observe_at_least(latency, now, weighing);
                stats.fail(now, weighing);
            }
            // It may have been quick or slow; only that it was not quicker than this is known.
            _ => stats.observe_at_least(latency, now, weighing),
        }
        stats.finish();
        if let Some(observer) = stats.facts().observer() {
            observer.finished(stats.id(), outcome, Duration::from_nanos(elapsed));
        }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure")
            .field("endpoint", self.stats.id())
            .finish_non_exhaustive()
    }
}
