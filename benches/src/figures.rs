//! Figures that are not the time of a call: rates, counts, and times of something larger.

use crate::{Board, args::Args, report, rounds};
use serde::Serialize;
use std::{env, path::Path, process::exit};

/// What a bench came to, printed as it comes.
#[derive(Debug)]
pub struct Figures {
    args: Args,
    rows: Vec<Figure>,
    failed: Option<String>,
}

/// One figure, and what it is held against.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    bench: &'static str,
    case: String,
    subject: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip)]
    of: String,
}

// === impl Figures ===

impl Figures {
    /// What the command line asks for; the process ends with status 2 if that makes no sense.
    #[must_use]
    pub fn of_args(known: &[&str]) -> Self {
        let args = Args::parse(env::args().skip(1)).unwrap_or_else(|error| {
            eprintln!("{error}\n{}", Args::USAGE);
            exit(2)
        });
        if let Some(stray) = args.stray(|name| known.contains(&name)) {
            eprintln!("there is nothing named {stray}; there are {known:?}");
            exit(2)
        }
        let rows = Vec::new();
        let failed = None;
        Self { args, rows, failed }
    }

    /// Whether this part is asked for.
    #[must_use]
    pub fn wants(&self, bench: &str) -> bool {
        self.args.wants(bench)
    }

    /// `full`, or `quick` if the run only shows that everything works.
    #[must_use]
    pub const fn pace(&self, full: usize, quick: usize) -> usize {
        if self.args.quick { quick } else { full }
    }

    /// Prints these rows of one case, and keeps them.
    pub fn show(&mut self, title: &str, rows: Vec<Figure>) {
        println!("\n{title}");
        for row in &rows {
            println!("{}", row.line());
        }
        self.rows.extend(rows);
    }

    /// Measures the time of calls, and keeps it as calls a second.
    pub fn board(&mut self, board: &Board) {
        if self.failed.is_some() {
            return;
        }
        match rounds::measure(board, &self.args) {
            Ok(rows) => self.rows.extend(rows.into_iter().flat_map(rate)),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Writes all figures as one JSON list; the process ends with status 1 if a row failed, measured
    /// nothing, or cannot be written.
    pub fn finish(self, file: &Path) {
        let Self { rows, failed, .. } = self;
        let nothing = |row: &&Figure| !(row.value.is_finite() && row.value >= 0.0);
        let nothing = rows.iter().find(nothing);
        let nothing = nothing.map(|row| format!("a row measured nothing: {row:?}"));
        let done = match failed.or(nothing) {
            Some(error) => Err(error),
            None => report::save(serde_json::to_string_pretty(&rows), file),
        };
        if let Err(error) = done {
            eprintln!("{error}");
            exit(1)
        }
        println!("\nwritten to {}", file.display());
    }
}

// === impl Figure ===

impl Figure {
    /// The figure of `subject` in one case of a bench.
    pub fn new(
        bench: &'static str,
        case: impl Into<String>,
        subject: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            bench,
            case: case.into(),
            subject: subject.into(),
            value,
            unit,
            ratio: None,
            of: String::new(),
        }
    }

    /// Holds it against this value, which goes by that name.
    #[must_use]
    pub fn of(mut self, value: f64, name: impl Into<String>) -> Self {
        self.ratio = Some(self.value / value);
        self.of = name.into();
        self
    }

    fn line(&self) -> String {
        let Self {
            subject,
            value,
            unit,
            of,
            ..
        } = self;
        let ratio = self.ratio.map(|ratio| format!("{ratio:.3}x of {of}"));
        let ratio = ratio.unwrap_or_default();
        format!("  {subject:<34}{value:>12.2} {unit:<10} {ratio}")
    }
}

/// The time of a call as a rate, of all threads together.
fn rate(row: report::Row) -> [Figure; 2] {
    let threads = row.threads;
    let case = format!("{}, {threads} threads", row.case);
    let rate = 1e9 / row.ns * threads as f64;
    [
        Figure::new(row.layer, case.clone(), row.subject, rate, "calls/s"),
        Figure::new(row.layer, case, row.subject, row.allocs, "allocs"),
    ]
}
