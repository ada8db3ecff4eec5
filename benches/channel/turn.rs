//! A turn of one subject: so many callers, each of which waits for its answer and calls again.

use super::subject::{Problem, Subject};
use std::time::Duration;
use tokio::task::JoinSet;
use ziggurat_benches::Reading;

/// What a turn came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    /// CPU time of this process per call: user and system, tasks in the background included.
    pub(crate) cpu_us: f64,
    pub(crate) calls: usize,
}

pub(crate) async fn turn(
    subject: &Subject,
    concurrency: usize,
    length: Duration,
) -> Result<Turn, Problem> {
    let start = Reading::now();
    let mut callers = JoinSet::new();
    for _ in 0..concurrency {
        callers.spawn(subject.caller(length));
    }
    let done = callers.join_all().await;
    let (wall, cpu) = Reading::now().since(&start, 1);

    let mut took = Vec::new();
    for caller in done {
        took.extend(caller?);
    }
    took.sort_by(f64::total_cmp);
    let middle = took.get(took.len() / 2).ok_or("a turn without a call")?;
    let calls = took.len() as f64;
    Ok(Turn {
        calls: took.len(),
        calls_per_s: calls / wall.as_secs_f64(),
        p50_us: middle * 1e3,
        cpu_us: cpu.as_secs_f64() * 1e6 / calls,
    })
}
