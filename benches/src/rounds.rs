//! The run: rounds in which the subjects of a section take turns.

use crate::{
    args::Args,
    board::{Board, Case, Entry},
    clock,
    report::{self, Row},
    runtime::Pinned,
    trial::{self, Sample},
    worker::Worker,
};
use std::{collections::HashMap, env, path::Path, process::exit, time::Duration};

const THREADS: [usize; 2] = [1, 2];

/// A thread looks at the clock about this often.
const CHUNK: Duration = Duration::from_micros(20);

struct Contender {
    name: &'static str,
    workers: Vec<Box<dyn Worker>>,
    chunk: u32,
    allocs: f64,
    samples: Vec<Sample>,
}

/// Measures what the command line asks for, prints it, and writes the rows to `file`.
///
/// The process ends with status 2 if the command line is wrong, and with 1 if a row does not do
/// what it should or the file cannot be written: a row that fails measures nothing.
pub fn run(board: &Board, file: &Path) {
    let args = Args::parse(env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error}\n{}", Args::USAGE);
        exit(2)
    });
    if let Some(layer) = args.stray(|name| board.entries.iter().any(|entry| entry.layer == name)) {
        eprintln!("there are no rows for a layer {layer}");
        exit(2)
    }
    if let Err(error) = measure(board, &args).and_then(|rows| report::write(&rows, file)) {
        eprintln!("{error}");
        exit(1)
    }
    println!("\nwritten to {}", file.display());
}

pub(crate) fn measure(board: &Board, args: &Args) -> Result<Vec<Row>, String> {
    let (rounds, length) = args.pace();
    println!("ns per call and thread: {}.", clock::UNIT);
    println!(
        "Medians of {rounds} interleaved rounds of {length:?} a subject; `net` is less the bare service;"
    );
    println!("`ratio` is ziggurat's ns to the peer's; `~` marks threads that seldom ran at once.");

    let pinned = THREADS
        .map(|threads| Pinned::new(threads).map_err(|error| format!("no runtime: {error}")))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for entry in board.entries.iter().filter(|entry| args.wants(entry.layer)) {
        for case in [Case::Call, Case::CloneCall] {
            let mut allocs = HashMap::new();
            for pinned in &pinned {
                let block = turns(entry, case, pinned, args, &mut allocs)?;
                report::print(&block);
                rows.extend(block);
            }
        }
    }
    Ok(rows)
}

/// All rounds of one section, case and number of threads.
fn turns(
    entry: &Entry,
    case: Case,
    pinned: &Pinned,
    args: &Args,
    allocs: &mut HashMap<&'static str, f64>,
) -> Result<Vec<Row>, String> {
    let (rounds, length) = args.pace();
    let threads = pinned.threads;
    let name = entry.case(case);
    let _within = pinned.runtime.enter();
    let failed = |subject: &str, error| {
        format!(
            "{}, {name}, {threads} threads, {subject}: the row fails: {error}",
            entry.layer
        )
    };

    let mut contenders = Vec::new();
    for subject in &entry.subjects {
        let Some(workers) = subject.workers(case, threads) else {
            continue;
        };
        let mut contender = Contender {
            name: subject.name,
            workers,
            chunk: 8,
            allocs: 0.0,
            samples: Vec::new(),
        };
        contender
            .prepare(pinned, args, allocs)
            .map_err(|error| failed(subject.name, error))?;
        contenders.push(contender);
    }
    for _ in 0..rounds {
        for contender in &mut contenders {
            let sample = trial::time(pinned, &mut contender.workers, length, contender.chunk)
                .map_err(|error| failed(contender.name, error))?;
            contender.samples.push(sample);
        }
    }
    Ok(contenders
        .into_iter()
        .map(|contender| contender.row(entry.layer, &name, threads))
        .collect())
}

// === impl Contender ===

impl Contender {
    /// Warms up, finds the chunk, and counts allocations: on one thread, where all is at rest but it.
    fn prepare(
        &mut self,
        pinned: &Pinned,
        args: &Args,
        allocs: &mut HashMap<&'static str, f64>,
    ) -> Result<(), tokio::task::JoinError> {
        let (_, length) = args.pace();
        let sample = trial::time(pinned, &mut self.workers, length, self.chunk)?;
        self.chunk = (CHUNK.as_secs_f64() * 1e9 / sample.ns).clamp(8.0, 16384.0) as u32;
        if pinned.threads == 1 {
            allocs.insert(
                self.name,
                trial::count(pinned, &mut self.workers, args.counted())?,
            );
        }
        self.allocs = allocs.get(self.name).copied().unwrap_or(f64::NAN);
        Ok(())
    }

    fn row(self, layer: &'static str, case: &str, threads: usize) -> Row {
        let (ns, overlap) = median(self.samples);
        Row {
            layer,
            case: case.to_owned(),
            threads,
            subject: self.name,
            ns: hundredths(ns),
            allocs: hundredths(self.allocs),
            overlap,
        }
    }
}

/// The median time, and the median overlap, of the better half: the turns that were most parallel.
fn median(mut samples: Vec<Sample>) -> (f64, f64) {
    if samples.iter().any(|sample| sample.overlap < 0.98) {
        samples.sort_by(|a, b| b.overlap.total_cmp(&a.overlap));
        samples.truncate(samples.len().div_ceil(2));
    }
    let middle = |key: fn(&Sample) -> f64| {
        let mut keys: Vec<f64> = samples.iter().map(key).collect();
        keys.sort_by(f64::total_cmp);
        keys.get(keys.len() / 2).copied().unwrap_or(f64::NAN)
    };
    (middle(|sample| sample.ns), middle(|sample| sample.overlap))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::median;
    use crate::trial::Sample;

    #[test]
    fn turns_that_ran_alone_do_not_count() {
        let turn = |ns, overlap| Sample { ns, overlap };
        let samples = vec![
            turn(10.0, 0.5),
            turn(41.0, 0.99),
            turn(12.0, 0.6),
            turn(43.0, 1.0),
        ];
        assert_eq!(median(samples), (43.0, 1.0));
    }

    #[test]
    fn one_turn_out_of_line_does_not_move_the_median() {
        let samples = [30.0, 31.0, 900.0, 29.0, 30.5];
        let samples = samples.map(|ns| Sample { ns, overlap: 1.0 });
        assert_eq!(median(samples.to_vec()).0, 30.5);
    }
}
