//! What the callers saw.

use hdrhistogram::Histogram;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use ziggurat::balance::EndpointView;
use ziggurat_testkit::tonic::Status;

/// What the callers saw, by the server that answered.
pub(crate) struct Tally(Mutex<Counts>);

struct Counts {
    all: Histogram<u64>,
    by_server: BTreeMap<String, Histogram<u64>>,
    failures: BTreeMap<String, u64>,
}

/// All of it, at the end.
pub(crate) struct Summary {
    calls: u64,
    attempts: u64,
    p50: u64,
    p99: u64,
    failures: BTreeMap<String, u64>,
    endpoints: Vec<serde_json::Value>,
}

// === impl Tally ===

impl Tally {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counts {
            all: histogram(),
            by_server: BTreeMap::new(),
            failures: BTreeMap::new(),
        }))
    }

    pub(crate) fn answered(&self, server: &str, took: Duration) {
        self.with(|counts| {
            let micros = micros(took);
            counts.all.saturating_record(micros);
            if !counts.by_server.contains_key(server) {
                counts.by_server.insert(server.to_owned(), histogram());
            }
            if let Some(histogram) = counts.by_server.get_mut(server) {
                histogram.saturating_record(micros);
            }
        });
    }

    pub(crate) fn failed(&self, status: &Status, took: Duration) {
        self.with(|counts| {
            counts.all.saturating_record(micros(took));
            let what = format!("{:?}: {}", status.code(), status.message());
            *counts.failures.entry(what).or_default() += 1;
        });
    }

    /// Calls that have ended, and how many of them failed.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.with(|counts| (counts.all.len(), counts.failures.values().sum()))
    }

    /// The share of the answers, and the median and 99th percentile in microseconds.
    pub(crate) fn of(&self, server: &str) -> Option<(f64, u64, u64)> {
        self.with(|counts| {
            let histogram = counts.by_server.get(server)?;
            let share = histogram.len() as f64 / counts.all.len().max(1) as f64;
            let at = |quantile| histogram.value_at_quantile(quantile);
            Some((share, at(0.5), at(0.99)))
        })
    }

    pub(crate) fn summary(&self, endpoints: &[EndpointView]) -> Summary {
        let views = endpoints.iter().map(|endpoint| {
            let (share, p50, p99) = self.of(endpoint.id().as_str()).unwrap_or_default();
            json!({
                "id": endpoint.id().as_str(),
                "state": format!("{:?}", endpoint.state()),
                "attempts": endpoint.calls(),
                "failures": endpoint.failures(),
                "share": share,
                "p50_us": p50,
                "p99_us": p99,
            })
        });
        let endpoints_json = views.collect();
        self.with(|counts| Summary {
            calls: counts.all.len(),
            attempts: endpoints.iter().map(EndpointView::calls).sum(),
            p50: counts.all.value_at_quantile(0.5),
            p99: counts.all.value_at_quantile(0.99),
            failures: counts.failures.clone(),
            endpoints: endpoints_json,
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Summary ===

impl Summary {
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "calls": self.calls,
            "failed": self.failed(),
            "attempts": self.attempts,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "endpoints": self.endpoints,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            attempts,
            p50,
            p99,
            ..
        } = self;
        let failed = self.failed();
        write!(f, "{calls} calls, {failed} failed, {attempts} attempts, ")?;
        write!(
            f,
            "p50 {:.1} ms, p99 {:.1} ms",
            *p50 as f64 / 1e3,
            *p99 as f64 / 1e3
        )?;
        for (what, count) in &self.failures {
            write!(f, "\n  {count} x {what}")?;
        }
        Ok(())
    }
}

fn histogram() -> Histogram<u64> {
    // Up to a minute in microseconds, to three digits.
    Histogram::new_with_max(60_000_000, 3).expect("the bounds are constants that fit")
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
