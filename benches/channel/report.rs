//! What a run says: a table for people, a list of rows for programs.

use super::turn::Turn;
use serde::Serialize;
use std::{fmt, fs, path::Path};

/// One subject at one concurrency: medians of its turns.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    concurrency: usize,
    subject: &'static str,
    calls_per_s: f64,
    p50_us: f64,
    cpu_us: f64,
    #[serde(skip)]
    allocs: f64,
    #[serde(skip)]
    cpu: Quartiles,
    /// Calls a second and CPU time, each held against tonic's of the same round.
    #[serde(skip)]
    ratios: Option<(Quartiles, Quartiles)>,
}

/// What was measured of one subject at one concurrency.
pub(crate) struct Course {
    pub(crate) subject: &'static str,
    /// Allocations a call, of the whole process.
    pub(crate) allocs: f64,
    /// One a round.
    pub(crate) turns: Vec<Turn>,
}

/// A quarter of the values, a half, and three quarters are no larger.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quartiles([f64; 3]);

pub(crate) const ABOUT: &str = "Unary calls of 100 bytes over loopback; the client is one thread on a CPU of its own, three \
    servers are a\nprocess on another. CPU time is the client process's, per call. Medians, and [quartiles], \
    of rounds in which the\nsubjects take turns; ratios are to tonic in the same round.";

const BASE: &str = "tonic";

// === impl Row ===

impl Row {
    /// The rows of all subjects, held against the one that is tonic alone.
    pub(crate) fn block(concurrency: usize, courses: &[Course]) -> Vec<Self> {
        let base = courses.iter().find(|course| course.subject == BASE);
        let base = base.map(|course| course.turns.as_slice());
        let row = |course: &Course| {
            let (subject, own) = (course.subject, &course.turns);
            let of = |key: fn(&Turn) -> f64| Quartiles::of(own.iter().map(key));
            let cpu = of(|turn| turn.cpu_us);
            let ratio = |base: &[Turn], key: fn(&Turn) -> f64| {
                Quartiles::of(own.iter().zip(base).map(|(own, base)| key(own) / key(base)))
            };
            let other = base.filter(|_| subject != BASE);
            Self {
                concurrency,
                subject,
                calls_per_s: of(|turn| turn.calls_per_s).median(),
                p50_us: of(|turn| turn.p50_us).median(),
                cpu_us: cpu.median(),
                cpu,
                allocs: course.allocs,
                ratios: other.map(|base| {
                    let calls = ratio(base, |turn| turn.calls_per_s);
                    (calls, ratio(base, |turn| turn.cpu_us))
                }),
            }
        };
        courses.iter().map(row).collect()
    }
}

// === impl Quartiles ===

impl Quartiles {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |quarter| values.get(values.len() * quarter / 4).copied();
        Self([1, 2, 3].map(|quarter| at(quarter).unwrap_or(f64::NAN)))
    }

    const fn median(self) -> f64 {
        self.0[1]
    }
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([low, middle, high]) = self;
        f.pad(&format!("{middle:.3} [{low:.3} {high:.3}]"))
    }
}

pub(crate) fn print(block: &[Row]) {
    let Some(first) = block.first() else { return };
    println!("\n{} callers", first.concurrency);
    println!(
        "  {:<18}{:>10}{:>10}{:>8}{:>25}{:>22}{:>22}",
        "", "calls/s", "p50 us", "allocs", "cpu us", "calls/s, ratio", "cpu, ratio"
    );
    for row in block {
        let (calls, cpu) = row.ratios.map_or_else(Default::default, |(calls, cpu)| {
            (calls.to_string(), cpu.to_string())
        });
        println!(
            "  {:<18}{:>10.0}{:>10.1}{:>8.1}{:>25}{calls:>22}{cpu:>22}",
            row.subject, row.calls_per_s, row.p50_us, row.allocs, row.cpu
        );
    }
}

/// Writes all rows as one JSON list.
pub(crate) fn write(rows: &[Row], file: &Path) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
    let measured = |row: &&Row| row.calls_per_s > 0.0 && row.p50_us > 0.0 && row.cpu_us > 0.0;
    if let Some(row) = rows.iter().find(|row| !measured(row)) {
        return Err(format!("a row measured nothing: {row:?}"));
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| said(&error))?;
    }
    let mut json = serde_json::to_string_pretty(rows).map_err(|error| said(&error))?;
    json.push('\n');
    fs::write(file, json).map_err(|error| said(&error))
}
