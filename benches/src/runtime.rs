//! A runtime as services have it, its workers pinned to cores of their own.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::sleep,
};

/// A multi-threaded runtime with a fixed number of pinned workers.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) runtime: Runtime,
    pub(crate) threads: usize,
    _heartbeat: JoinSet<()>,
}

// === impl Pinned ===

impl Pinned {
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        let started = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .on_thread_start(move || pin(started.fetch_add(1, Ordering::Relaxed)))
            .build()?;

        let heartbeat = heartbeat(&runtime);
        Ok(Self {
            runtime,
            threads,
            _heartbeat: heartbeat,
        })
    }
}

/// A runtime of the calling thread alone, which is pinned to the nth of the CPUs that it may use;
/// the heartbeat goes on for as long as the set is kept.
///
/// # Errors
///
/// If the system has no room for one.
pub fn pinned(nth: usize) -> io::Result<(Runtime, JoinSet<()>)> {
    pin(nth);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let heartbeat = heartbeat(&runtime);
    Ok((runtime, heartbeat))
}

/// A busy service always has an earlier timer pending; without one, arming a timer wakes the driver
/// with a system call, and every row with a timer would measure that call.
fn heartbeat(runtime: &Runtime) -> JoinSet<()> {
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn_on(
        async {
            loop {
                sleep(Duration::from_millis(20)).await;
            }
        },
        runtime.handle(),
    );
    heartbeat
}

/// Pins the calling thread to the nth of the CPUs that the process may use. Without the right to
/// do so, threads float: that costs precision, which the overlap shows, and nothing else.
#[cfg(target_os = "linux")]
fn pin(nth: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|&cpu| allowed.is_set(cpu))
        .collect();
    let mut own = CpuSet::new();
    if let Some(&cpu) = cpus.get(nth % cpus.len().max(1)) {
        own.set(cpu);
        _ = sched_setaffinity(None, &own);
    }
}

#[cfg(not(target_os = "linux"))]
const fn pin(_: usize) {}
