//! What a run says: a table for people, a list of rows for programs.

use serde::Serialize;
use std::{fs, path::Path};

/// The subject that the others are compared with.
const OURS: &str = "ziggurat";
const FLOOR: &str = "floor";

/// Below this, two threads were not really two.
const PARALLEL: f64 = 0.85;

/// One measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) layer: &'static str,
    pub(crate) case: String,
    pub(crate) threads: usize,
    pub(crate) subject: &'static str,
    pub(crate) ns: f64,
    pub(crate) allocs: f64,
    #[serde(skip)]
    pub(crate) overlap: f64,
}

/// Prints the rows of one section, case and number of threads.
pub(crate) fn print(rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let find = |subject| {
        rows.iter()
            .find(|row| row.subject == subject)
            .map(|row| row.ns)
    };
    let (floor, ours) = (find(FLOOR), find(OURS));

    let threads = if first.threads == 1 {
        "thread"
    } else {
        "threads"
    };
    println!(
        "\n{}, {}, {} {threads}",
        first.layer, first.case, first.threads
    );
    println!(
        "  {:<28}{:>11}{:>10}{:>9}{:>9}",
        "", "ns", "net", "allocs", "ratio"
    );
    for row in rows {
        let net = floor
            .filter(|_| row.subject != FLOOR)
            .map(|floor| format!("{:.1}", row.ns - floor));
        let peer = row.subject != FLOOR && row.subject != OURS;
        let ratio = ours
            .filter(|_| peer)
            .map(|ours| format!("{:.2}x", ours / row.ns));
        let mark = if row.threads > 1 && row.overlap < PARALLEL {
            "~"
        } else {
            ""
        };
        println!(
            "  {:<28}{:>11}{:>10}{:>9.2}{:>9}",
            row.subject,
            format!("{mark}{:.1}", row.ns),
            net.as_deref().unwrap_or("-"),
            row.allocs,
            ratio.as_deref().unwrap_or("-"),
        );
    }
}

/// Writes all rows as one JSON list.
///
/// # Errors
///
/// What went wrong, and where; also a row that came to nothing.
pub(crate) fn write(rows: &[Row], file: &Path) -> Result<(), String> {
    if let Some(row) = rows.iter().find(|row| !(row.ns > 0.0 && row.allocs >= 0.0)) {
        return Err(format!("a row measured nothing: {row:?}"));
    }
    let said = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| said(&error))?;
    }
    let mut json = serde_json::to_string_pretty(rows).map_err(|error| said(&error))?;
    json.push('\n');
    fs::write(file, json).map_err(|error| said(&error))
}

#[cfg(test)]
mod tests {
    use super::{Row, write};
    use std::path::Path;

    #[test]
    fn a_row_that_measured_nothing_is_not_written() {
        let row = Row {
            layer: "retry",
            case: "call".to_owned(),
            threads: 1,
            subject: "tower",
            ns: 0.0,
            allocs: 0.0,
            overlap: 1.0,
        };
        assert!(
            write(&[row], Path::new("/nonexistent/rows.json"))
                .unwrap_err()
                .contains("nothing")
        );
    }
}
