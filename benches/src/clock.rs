//! Real time: what the process has spent of the CPU, and what has passed on the wall.
#![allow(
    clippy::disallowed_types,
    reason = "a bench measures real time; a paused clock has nothing to tell it"
)]

use std::time::{Duration, Instant};

/// What the header of a report says about the unit of its times.
#[cfg(target_os = "linux")]
pub(crate) const UNIT: &str = "CPU time of the process (all threads, so background workers count)";
#[cfg(not(target_os = "linux"))]
pub(crate) const UNIT: &str = "wall time, times the threads (no CPU clock on this system)";

/// A point in a trial.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    wall: Instant,
    cpu: Duration,
}

/// What has passed on the wall.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

// === impl Stopwatch ===

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The milliseconds since.
    #[must_use]
    pub fn millis(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1e3
    }
}

// === impl Reading ===

impl Reading {
    /// Reads both clocks; that is a system call, so not once a call.
    #[must_use]
    pub fn now() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }

    /// The wall time and the CPU time of the process from `start` to here; where there is no CPU
    /// clock, the second is the first times `threads`.
    #[must_use]
    pub fn since(&self, start: &Self, threads: u32) -> (Duration, Duration) {
        let wall = self.wall.duration_since(start.wall);
        let cpu = self.cpu.saturating_sub(start.cpu);
        (wall, if cpu.is_zero() { wall * threads } else { cpu })
    }
}

#[cfg(target_os = "linux")]
fn cpu() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let spent = clock_gettime(ClockId::ProcessCPUTime);
    // Time that the process has spent is never negative, and fits.
    Duration::new(
        spent.tv_sec.unsigned_abs(),
        u32::try_from(spent.tv_nsec).unwrap_or(0),
    )
}

#[cfg(not(target_os = "linux"))]
const fn cpu() -> Duration {
    Duration::ZERO
}
