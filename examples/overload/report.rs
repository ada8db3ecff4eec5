//! How a server did, for people and for programs.

use super::{scene::Plan, tally::Counts};
use serde_json::json;
use std::fmt::{self, Write as _};

/// How a server did under three times what it can do.
pub(crate) struct Report {
    counts: Counts,
    seconds: f64,
    capacity: f64,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(plan: &Plan, counts: Counts) -> Self {
        Self {
            counts,
            seconds: plan.surge.as_secs_f64(),
            capacity: plan.capacity.into(),
        }
    }

    /// What was answered within the patience of its caller, of what the server can do.
    pub(crate) fn goodput_ratio(&self) -> f64 {
        self.counts.answered.len() as f64 / (self.seconds * self.capacity)
    }

    /// The share of the critical calls that was answered in time.
    pub(crate) fn critical_served(&self) -> f64 {
        f64::from(self.counts.critical_answered) / f64::from(self.counts.critical_sent.max(1))
    }

    /// How long 99 of 100 that were answered took at most. `None`: none was.
    pub(crate) fn p99_ms(&self) -> Option<f64> {
        let answered = &self.counts.answered;
        (!answered.is_empty()).then(|| answered.value_at_quantile(0.99) as f64 / 1e3)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "goodput_ratio": round(self.goodput_ratio()),
            "p99_ms": self.p99_ms().map(round),
            "critical_served": round(self.critical_served()),
        })
    }

    /// A row of the table, without its name.
    fn row(&self) -> String {
        let p99 = self
            .p99_ms()
            .map_or("-".to_owned(), |p99| format!("{p99:.1}"));
        format!(
            "{:>9.0} {:>9.0} {:>6.2} {:>9} {:>9.1}%",
            f64::from(self.counts.sent) / self.seconds,
            self.counts.answered.len() as f64 / self.seconds,
            self.goodput_ratio(),
            p99,
            self.critical_served() * 100.0,
        )
    }
}

/// The seconds, and what became of those that were not answered in time.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.counts.by_second.iter();
        let seconds = seconds.fold(String::new(), |mut text, answered| {
            let _ = write!(text, " {answered}");
            text
        });
        write!(
            f,
            "answered in time, by the second of their sending:{seconds}"
        )?;
        for (what, count) in &self.counts.failures {
            write!(f, "\n  {count} x {what}")?;
        }
        Ok(())
    }
}

/// Both beside one another.
pub(crate) fn table(bare: &Report, stack: &Report) -> String {
    let head = format!(
        "{:<6} {:>9} {:>9} {:>6} {:>9} {:>10}",
        "server", "offered/s", "goodput/s", "of C", "p99 ms", "critical"
    );
    format!("{head}\nbare   {}\nstack  {}", bare.row(), stack.row())
}

/// One object: how the stack did, and under `bare` the same without it.
pub(crate) fn both(bare: &Report, stack: &Report) -> serde_json::Value {
    let mut all = stack.json();
    all["bare"] = bare.json();
    all
}

fn round(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}
