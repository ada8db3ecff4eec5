//! What a run says: a table for people, a list of rows for programs.

use serde::Serialize;
use std::{fs, path::Path};

/// The subject that the others are compared with.
const OURS: &str = "ziggurat";

/// The bare service, where a `floor` written by hand stands beside it. Programs find it in the
/// sections of the layer `bare`, and nowhere else: it is no peer.
const BARE: &str = "bare";
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
    let base = if find(BARE).is_some() { BARE } else { FLOOR };
    let (bare, ours) = (find(base), find(OURS));

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
        let net = bare
            .filter(|_| row.subject != base)
            .map(|bare| format!("{:.1}", row.ns - bare));
        let peer = row.subject != base && row.subject != OURS;
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
    save(json(rows), file)
}

/// Writes a text of JSON.
///
/// # Errors
///
/// What went wrong, and where.
pub(crate) fn save(json: serde_json::Result<String>, file: &Path) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| said(&error))?;
    }
    let mut json = json.map_err(|error| said(&error))?;
    json.push('\n');
    fs::write(file, json).map_err(|error| said(&error))
}

fn json(rows: &[Row]) -> serde_json::Result<String> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.subject != BARE).collect();
    serde_json::to_string_pretty(&rows)
}

#[cfg(test)]
mod tests {
    use super::{Row, json, write};
    use std::path::Path;

    fn row(subject: &'static str, ns: f64) -> Row {
        Row {
            layer: "retry",
            case: "call".to_owned(),
            threads: 1,
            subject,
            ns,
            allocs: 0.0,
            overlap: 1.0,
        }
    }

    #[test]
    fn a_row_that_measured_nothing_is_not_written() {
        let error = write(&[row("tower", 0.0)], Path::new("/nonexistent/rows.json")).unwrap_err();
        assert!(error.contains("nothing"), "{error}");
    }

    #[test]
    fn the_bare_service_beside_a_floor_is_no_peer_for_programs() {
        let json = json(&[row("bare", 2.0), row("floor", 9.0)]).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (&rows[0]["subject"], &rows[0]["ns"]),
            (&"floor".into(), &9.0.into())
        );
    }
}
