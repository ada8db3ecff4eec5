//! What a balancer does when a call has ended.

use crate::{LoadReport, LoadReports, settings::Brief, stats::Stats};
use http::HeaderMap;
use std::{fmt, sync::Arc, time::Duration};
use ziggurat_core::{EndpointId, Outcome, Record, contain};

/// Measures one call, and gives its place at the endpoint back when it has ended or is dropped.
pub struct Measure {
    stats: Arc<Stats>,
    began: u64,
    brief: Brief,
    /// How long the head of the answer took, in nanoseconds; 0 before it came. As short as it can be:
    /// it is moved with every future and every body.
    head: f32,
}

/// A body that takes longer than this, and than the head did, is a stream: how long it goes on says
/// nothing about how quick its endpoint is.
const STREAM: u64 = 1_000_000_000;

// === impl Measure ===

impl Measure {
    /// Takes a place at the endpoint; whoever makes one hands it to a `Recorder` at once.
    #[inline]
    pub(crate) fn start(stats: Arc<Stats>, brief: Brief, now: u64) -> Self {
        stats.start(now, brief.decay());
        Self {
            stats,
            began: now,
            brief,
            head: 0.0,
        }
    }

    pub(crate) fn endpoint(&self) -> &EndpointId {
        self.stats.id()
    }

    /// Is the answer to say who gave it?
    pub(crate) fn attaches(&self) -> bool {
        self.brief.attaches()
    }

    /// The endpoint wants to be left alone for this long.
    pub(crate) fn push_back(&self, retry_after: Duration) {
        let now = self.stats.facts().now();
        self.stats.push_back(retry_after, now, self.brief.decay());
    }

    #[inline(never)]
    fn hear(&self, reports: &LoadReports, trailers: &HeaderMap) {
        match LoadReport::read(trailers) {
            Ok(report) => {
                if let Some(weight) = report.and_then(|report| report.weight(reports.penalty())) {
                    self.stats.report(weight, self.stats.facts().now());
                }
            }
            Err(error) => {
                tracing::debug!(endpoint = %self.stats.id(), %error, "passed over");
                if let Some(observer) = self.stats.facts().observer() {
                    contain(|| observer.report_malformed(self.stats.id(), error));
                }
            }
        }
    }
}

impl Record for Measure {
    fn responded(&mut self) {
        let now = self.stats.facts().now();
        let elapsed = now.saturating_sub(self.began);
        self.head = elapsed.max(1) as f32;
        self.stats.observe_head(elapsed, now, self.brief.decay());
    }

    #[inline]
    fn trailers(&mut self, trailers: &HeaderMap) {
        if let Some(reports) = self.stats.facts().reports() {
            self.hear(reports, trailers);
        }
    }

    // By its parts: handed on as a whole it is copied once more, and a processor that reads at once what
    // was written in parts waits until all of them are there.
    #[inline(always)]
    fn settle(self, outcome: Outcome) {
        end(self.stats, self.began, self.brief, self.head, outcome);
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure")
            .field("endpoint", self.stats.id())
            .finish_non_exhaustive()
    }
}

#[inline(never)]
fn end(stats: Arc<Stats>, began: u64, brief: Brief, head: f32, outcome: Outcome) {
    let (now, decay) = (stats.facts().now(), brief.decay());
    let elapsed = now.saturating_sub(began);
    let latency = latency(elapsed, head);
    match outcome {
        Outcome::Success => stats.observe(latency, now, decay),
        Outcome::Failure | Outcome::Overload => stats.fail(now, decay),
        Outcome::Timeout => {
            stats.observe_at_least(latency, now, decay);
            stats.fail(now, decay);
        }
        // It may have been quick or slow; only that it was not quicker than this is known.
        _ => stats.observe_at_least(latency, now, decay),
    }
    stats.finish();
    if let Some(observer) = stats.facts().observer() {
        contain(|| observer.finished(stats.id(), outcome, Duration::from_nanos(elapsed)));
    }
}

/// How long the answer took: to its end, or to its head if it is a stream.
fn latency(elapsed: u64, head: f32) -> u64 {
    if head == 0.0 {
        return elapsed;
    }
    let head = head as u64;
    let is_stream = elapsed.saturating_sub(head) > STREAM.max(head);
    if is_stream { head } else { elapsed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    // Every future and every body of every layer around is moved with it.
    #[test]
    fn what_a_call_carries_is_three_words_and_its_deadline() {
        assert_eq!(size_of::<Option<Measure>>(), 24);
        assert_eq!(size_of::<Place>(), 40);
    }
}
