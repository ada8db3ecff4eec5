//! One turn of one subject: every thread calls, together, for a few milliseconds.

use crate::{alloc::Count, clock::Reading, runtime::Pinned, worker::Worker};
use std::{
    hint::spin_loop,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::yield_now,
    time::Duration,
};
use tokio::task::{JoinError, JoinSet};

/// What a turn came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Per call and thread.
    pub(crate) ns: f64,
    /// The share of the time in which all threads really ran, 1.0 at best. On a shared machine a
    /// thread may have to wait for a core, and then the others meet no contention.
    pub(crate) overlap: f64,
}

struct Trial {
    threads: usize,
    length: Duration,
    chunk: u32,
    arrived: AtomicUsize,
    left: AtomicUsize,
    stop: AtomicBool,
    calls: AtomicU64,
    start: OnceLock<Reading>,
    end: OnceLock<Reading>,
}

/// Stops the other threads, also when this one panics.
struct StopOnDrop<'a>(&'a Trial);

// === impl Trial ===

impl Trial {
    /// Waits until all threads are here, so that none calls alone.
    fn line_up(&self) -> Reading {
        if self.arrived.fetch_add(1, Ordering::Relaxed) + 1 == self.threads {
            return *self.start.get_or_init(Reading::now);
        }
        for spins in 1_u32.. {
            if let Some(start) = self.start.get() {
                return *start;
            }
            if spins % 1024 == 0 {
                yield_now()
            } else {
                spin_loop()
            }
        }
        Reading::now()
    }

    fn leave(&self, calls: u64) {
        self.stop.store(true, Ordering::Relaxed);
        // Release and Acquire: whoever leaves last hands all calls to the reader of `end`.
        self.calls.fetch_add(calls, Ordering::Relaxed);
        if self.left.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.end.get_or_init(Reading::now);
        }
    }

    async fn work(&self, leads: bool, worker: &mut dyn Worker) {
        let _stop = StopOnDrop(self);
        let start = self.line_up();
        let mut calls = 0;
        loop {
            worker.repeat(self.chunk).await;
            calls += u64::from(self.chunk);
            if self.stop.load(Ordering::Relaxed) || leads && start.elapsed() >= self.length {
                break;
            }
        }
        self.leave(calls);
    }
}

// === impl StopOnDrop ===

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Runs one turn of `length`; threads look at the clock once in `chunk` calls.
///
/// # Errors
///
/// The panic of a worker.
pub(crate) fn time(
    pinned: &Pinned,
    workers: &mut Vec<Box<dyn Worker>>,
    length: Duration,
    chunk: u32,
) -> Result<Sample, JoinError> {
    let trial = Arc::new(Trial {
        threads: pinned.threads,
        length,
        chunk,
        arrived: AtomicUsize::new(0),
        left: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        start: OnceLock::new(),
        end: OnceLock::new(),
    });

    let mut tasks = JoinSet::new();
    for (n, mut worker) in workers.drain(..).enumerate() {
        let trial = Arc::clone(&trial);
        let task = async move {
            trial.work(n == 0, &mut *worker).await;
            worker
        };
        tasks.spawn_on(task, pinned.runtime.handle());
    }
    while let Some(worker) = pinned.runtime.block_on(tasks.join_next()) {
        workers.push(worker?);
    }

    let (Some(start), Some(end)) = (trial.start.get(), trial.end.get()) else {
        unreachable!("every worker has come and left");
    };
    let threads = u32::try_from(trial.threads).unwrap_or(u32::MAX);
    let (wall, cpu) = end.since(start, threads);
    let calls = trial.calls.load(Ordering::Relaxed);
    Ok(Sample {
        ns: cpu.as_secs_f64() * 1e9 / calls as f64,
        overlap: (cpu.as_secs_f64() / (wall.as_secs_f64() * trial.threads as f64)).min(1.0),
    })
}

/// Counts what the process allocates during `calls` calls, per call.
///
/// # Errors
///
/// The panic of the worker.
pub(crate) fn count(
    pinned: &Pinned,
    workers: &mut Vec<Box<dyn Worker>>,
    calls: u32,
) -> Result<f64, JoinError> {
    let Some(mut worker) = workers.pop() else {
        return Ok(0.0);
    };
    let mut task = JoinSet::new();
    task.spawn_on(
        async move {
            // The box of the loop itself is made before the count starts.
            let repeat = worker.repeat(calls);
            let count = Count::start();
            repeat.await;
            let count = count.stop();
            (worker, count)
        },
        pinned.runtime.handle(),
    );
    let mut allocs = 0;
    while let Some(done) = pinned.runtime.block_on(task.join_next()) {
        let (worker, count) = done?;
        workers.push(worker);
        allocs = count;
    }
    Ok(allocs as f64 / f64::from(calls))
}

#[cfg(test)]
mod tests {
    use super::{count, time};
    use crate::{Board, Noop, PendsOnce, board::Case, runtime::Pinned};
    use std::time::Duration;

    #[test]
    fn two_threads_run_together_and_come_back() {
        let mut board = Board::default();
        board
            .section::<u64>("x", "")
            .service("pends", || PendsOnce(Noop));
        let pinned = Pinned::new(2).unwrap();
        let mut workers = board.entries[0].subjects[0]
            .workers(Case::CloneCall, 2)
            .unwrap();

        let sample = time(&pinned, &mut workers, Duration::from_micros(200), 16).unwrap();

        assert_eq!(workers.len(), 2);
        assert!(sample.ns > 0.0 && sample.overlap > 0.0);
    }

    #[test]
    fn a_row_whose_calls_go_wrong_is_an_error() {
        let mut board = Board::default();
        board.section::<u64>("x", "").rejecting("answers", || Noop);
        let pinned = Pinned::new(2).unwrap();
        let subject = &board.entries[0].subjects[0];

        let mut workers = subject.workers(Case::Call, 2).unwrap();
        let timed = time(&pinned, &mut workers, Duration::from_secs(60), 16);
        let mut workers = subject.workers(Case::Call, 1).unwrap();
        let counted = count(&pinned, &mut workers, 16);

        assert!(timed.unwrap_err().is_panic());
        assert!(counted.unwrap_err().is_panic());
    }
}
