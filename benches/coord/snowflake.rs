//! Unique ids, from eight threads at once: how near they come to the ceiling of the layout.

use super::stores::median;
use snowflaked::sync::Generator;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{park_timeout, yield_now},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use ziggurat::coord::Snowflake;
use ziggurat_benches::{Figure, Figures, Stopwatch};

const THREADS: usize = 8;
/// Of a layout with 12 bits of sequence: ids a millisecond.
const CEILING: f64 = 4_096.0;

pub(crate) fn rows(figures: &mut Figures) {
    let rounds = figures.pace(5, 1);
    let millis = figures.pace(1_000, 50) as f64;
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(THREADS).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let ours = Arc::new(Snowflake::fixed(1).expect("valid"));
    let peer = Arc::new(Generator::new(1));

    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        rates[0].push(rate(&runtime, millis, |mut tally| {
            let ours = Arc::clone(&ours);
            async move {
                while tally.goes_on() {
                    tally.note(ours.next_id().await.expect("the clock goes on"));
                }
                tally.made
            }
        }));
        rates[1].push(rate(&runtime, millis, |mut tally| {
            let ours = Arc::clone(&ours);
            async move {
                while tally.goes_on() {
                    ours.try_next_id()
                        .map_or_else(|_| yield_now(), |id| tally.note(id));
                }
                tally.made
            }
        }));
        rates[2].push(rate(&runtime, millis, |mut tally| {
            let peer = Arc::clone(&peer);
            async move {
                while tally.goes_on() {
                    tally.note(peer.generate());
                }
                tally.made
            }
        }));
    }
    let row = |(name, rates)| {
        let figure = Figure::new("snowflake", "8 threads", name, median(rates), "ids/ms");
        figure.of(CEILING, "the ceiling")
    };
    let names = ["ziggurat", "ziggurat, try_next_id", "snowflaked"];
    let rows = names.into_iter().zip(rates).map(row).collect();
    figures.show("snowflake, 8 threads, one generator", rows);
}

/// What one thread has made.
struct Tally {
    made: u64,
    last: i64,
    stop: Arc<AtomicBool>,
}

// === impl Tally ===

impl Tally {
    fn note(&mut self, id: i64) {
        assert!(id > self.last, "{id} after {}", self.last);
        (self.made, self.last) = (self.made + 1, id);
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Ids a millisecond that all threads made together.
fn rate<F>(runtime: &Runtime, millis: f64, work: impl Fn(Tally) -> F) -> f64
where
    F: Future<Output = u64> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let begun = Stopwatch::start();
    for _ in 0..THREADS {
        let (made, last, stop) = (0, 0, Arc::clone(&stop));
        tasks.spawn_on(work(Tally { made, last, stop }), runtime.handle());
    }
    // The main thread makes none: it only keeps the time.
    while begun.millis() < millis {
        park_timeout(Duration::from_millis(1));
    }
    stop.store(true, Ordering::Relaxed);
    let made = runtime.block_on(tasks.join_all()).into_iter().sum::<u64>();
    made as f64 / begun.millis()
}
