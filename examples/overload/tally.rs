//! What the callers saw.

use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use ziggurat::core::Criticality;
use ziggurat_testkit::tonic::Status;

/// What the callers saw, so far.
pub(crate) struct Tally {
    begin: Instant,
    counts: Mutex<Counts>,
}

/// What they saw, at the end.
pub(crate) struct Counts {
    /// How long those took that were answered in time, in microseconds.
    pub(crate) answered: Histogram<u64>,
    /// The same, counted by the second in which they were sent.
    pub(crate) by_second: Vec<u32>,
    pub(crate) sent: u32,
    pub(crate) critical_sent: u32,
    pub(crate) critical_answered: u32,
    /// What the others got instead.
    pub(crate) failures: BTreeMap<String, u32>,
}

// === impl Tally ===

impl Tally {
    pub(crate) fn new(begin: Instant, length: Duration) -> Self {
        let counts = Counts {
            // Up to a minute, to three digits.
            answered: Histogram::new_with_max(60_000_000, 3).expect("constants that fit"),
            by_second: vec![0; length.as_secs_f64().ceil() as usize],
            sent: 0,
            critical_sent: 0,
            critical_answered: 0,
            failures: BTreeMap::new(),
        };
        Self {
            begin,
            counts: Mutex::new(counts),
        }
    }

    pub(crate) fn ended(
        &self,
        level: Criticality,
        sent: Instant,
        took: Duration,
        answer: Result<(), Status>,
    ) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let critical = u32::from(level == Criticality::CriticalPlus);
        counts.sent += 1;
        counts.critical_sent += critical;
        match answer {
            Ok(()) => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                counts.answered.saturating_record(micros);
                counts.critical_answered += critical;
                let second = sent.saturating_duration_since(self.begin).as_secs() as usize;
                if let Some(answered) = counts.by_second.get_mut(second) {
                    *answered += 1;
                }
            }
            Err(status) => {
                let what = format!("{:?}: {}", status.code(), status.message());
                *counts.failures.entry(what).or_default() += 1;
            }
        }
    }

    pub(crate) fn counts(self) -> Counts {
        let counts = self.counts.into_inner();
        counts.unwrap_or_else(PoisonError::into_inner)
    }
}
