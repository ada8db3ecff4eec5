//! Unique ids, from eight threads at once: how near they come to the ceiling of the layout.

use super::stores::median;
use snowflaked::sync::Generator;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use tokio::runtime::{Builder, Runtime};
use ziggurat::coord::Snowflake;
use ziggurat_benches::{Figure, Figures, Stopwatch};

const THREADS: usize = 8;
/// Of a layout with 12 bits of sequence: ids a millisecond.
const CEILING: f64 = 4_096.0;

pub(crate) fn rows(figures: &mut Figures) {
    let rounds = figures.pace(3, 1);
    let millis = figures.pace(1_000, 50) as f64;
    let ours = Snowflake::fixed(1).expect("valid");
    let peer = Generator::new(1);
    let subjects: [(&'static str, &(dyn Fn(&Runtime) -> i64 + Sync)); 3] = [
        ("ziggurat", &|runtime| {
            runtime.block_on(ours.next_id()).expect("the clock goes on")
        }),
        ("ziggurat, no runtime, spinning", &|_| loop {
            if let Ok(id) = ours.try_next_id() {
                break id;
            }
            thread::yield_now();
        }),
        ("snowflaked, spinning", &|_| peer.generate()),
    ];
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (subject, rates) in subjects.iter().zip(&mut rates) {
            rates.push(rate(millis, subject.1));
        }
    }
    let row = |((name, _), rates)| {
        let figure = Figure::new("snowflake", "8 threads", name, median(rates), "ids/ms");
        figure.of(CEILING, "the ceiling")
    };
    let rows = subjects.into_iter().zip(rates).map(row).collect();
    figures.show("snowflake, 8 threads, one generator", rows);
}

/// Ids a millisecond that all threads made together, each of them above the thread's last.
fn rate(millis: f64, next: &(dyn Fn(&Runtime) -> i64 + Sync)) -> f64 {
    let stop = AtomicBool::new(false);
    let work = || {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let (mut made, mut last) = (0_u64, 0);
        while !stop.load(Ordering::Relaxed) {
            let id = next(&runtime);
            assert!(id > last, "{id} after {last}");
            (made, last) = (made + 1, id);
        }
        made
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let begun = Stopwatch::start();
        // The main thread makes none: it only keeps the time.
        while begun.millis() < millis {
            thread::park_timeout(std::time::Duration::from_millis(1));
        }
        stop.store(true, Ordering::Relaxed);
        let made: u64 = threads
            .into_iter()
            .map(|thread| thread.join().expect("ids rise"))
            .sum();
        made as f64 / begun.millis()
    })
}
