//! A table for people, a list of rows for programs.

use serde::Serialize;
use std::{fs, path::Path};

/// How one subject did in one scenario. Shares are from 0 to 1, times those of successes.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) success: f64,
    pub(crate) errors: f64,
    pub(crate) misses: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// The calls that went to servers that were not good then.
    pub(crate) share_bad: f64,
    /// The most that one server was called in a second, as a multiple of its fair share.
    #[serde(skip)]
    pub(crate) most: f64,
}

pub(crate) const ABOUT: &str = "\
Poisson arrivals in virtual time, 1000 a second; every call must be over after 1 s. A good server takes
10 ms (lognormal, p99 25 ms), a slow one 100 ms, a fast-failing one fails after 0.5 ms, a stalled one
never answers. `bad` is the share of calls that went to servers that were not good; `most` is the most
that one server was called in a second, as a multiple of its fair share.
`ziggurat` is deadline, balance, health and discover by their defaults; `+retry` has retry as well.";

pub(crate) const HEAD: &str = "                          success %  errors %  misses %    p50 ms    p99 ms  p99.9 ms     bad %   most";

// === impl Row ===

impl Row {
    pub(crate) fn line(&self) -> String {
        format!(
            "  {:<24}{:>9.3}{:>10.3}{:>10.3}{:>10.1}{:>10.1}{:>10.1}{:>10.2}{:>7.1}",
            self.subject,
            self.success * 100.0,
            self.errors * 100.0,
            self.misses * 100.0,
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.share_bad * 100.0,
            self.most,
        )
    }
}

/// Writes all rows as one JSON list.
pub(crate) fn write(rows: &[Row], file: &Path) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| said(&error))?;
    }
    let mut json = serde_json::to_string_pretty(rows).map_err(|error| said(&error))?;
    json.push('\n');
    fs::write(file, json).map_err(|error| said(&error))
}
