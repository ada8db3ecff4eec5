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
        let done = match failed.or_else(|| nothing(&rows)) {
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

/// What is wrong with the first row that came to nothing.
fn nothing(rows: &[Figure]) -> Option<String> {
    let is_nothing = |row: &&Figure| !(row.value.is_finite() && row.value >= 0.0);
    let row = rows.iter().find(is_nothing)?;
    Some(format!("a row measured nothing: {row:?}"))
}

#[cfg(test)]
mod tests {
    use super::{Figure, nothing, rate};
    use crate::report::Row;

    fn figure(value: f64) -> Figure {
        Figure::new("fan-out", "memory", "ziggurat", value, "ms")
    }

    #[test]
    fn a_figure_is_held_against_what_it_is_of() {
        let figure = figure(3.0).of(2.0, "a plain read");
        assert!(figure.line().ends_with("1.500x of a plain read"));
        let json = serde_json::to_value(&figure).unwrap();
        assert_eq!(json["ratio"], 1.5);
    }

    #[test]
    fn a_row_that_measured_nothing_is_found() {
        assert_eq!(nothing(&[figure(1.0)]), None);
        let wrong = nothing(&[figure(1.0), figure(f64::NAN)]).unwrap();
        assert!(wrong.contains("nothing"), "{wrong}");
    }

    #[test]
    fn threads_make_their_calls_together() {
        let row = Row {
            layer: "memory",
            case: "put".to_owned(),
            threads: 2,
            subject: "ziggurat",
            ns: 500.0,
            allocs: 1.0,
            overlap: 1.0,
        };
        let [rate, allocs] = rate(row);
        assert_eq!((rate.value, allocs.value), (4e6, 1.0));
    }
}
