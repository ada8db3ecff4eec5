//! How calls go, summed up a window at a time for the algorithm.
//!
//! A deadline is the caller's, and so may be a refusal; a server that has no room fails many calls, and one
//! caller a few. So it is their share of a window that counts, and not that there is one, as in Netflix's
//! concurrency-limits (`WindowedLimit`), where any makes a window one of overload. Envoy's adaptive
//! concurrency listens to latency alone, which tells nothing where nobody is answered, and failsafe-go's
//! limiter to what its user says was dropped.

use crate::{Algorithm, algorithm::Window};
use std::{fmt, mem, time::Duration};
use ziggurat_core::{clock::Instant, contain};

/// The window that is open, and who learns from it.
pub(crate) struct Meter {
    algorithm: Box<dyn Algorithm>,
    /// The one in force.
    limit: u32,
    begun: Option<Instant>,
    /// Of every timed call, as many times as it stands for others.
    latencies: Duration,
    /// Calls that were timed, and those for which they stand.
    answered: u32,
    calls: u32,
    /// Calls that were dropped, and those for which they stand.
    dropped: u32,
    lost: u32,
    /// Calls that timed out sooner than an answer is there usually.
    hurried: u32,
    in_flight: u32,
    /// How long answers took in the last window that had some.
    usual: Duration,
}

/// What one call teaches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lesson {
    /// So long; and it stands for so many.
    Took(Duration, u32),
    /// There was no answer after so long; and it stands for so many.
    TimedOut(Duration, u32),
    Dropped,
}

/// What has come of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    /// From now on.
    pub(crate) limit: u32,
    pub(crate) calls: u32,
    pub(crate) dropped: bool,
}

/// In the place of one that panicked: its last limit stays.
struct Stuck(u32);

/// Fewer say nothing: one of them may be an accident.
const SAMPLES: u32 = 10;
/// More than one in so many has to be dropped. One caller in twenty, who sends all of its calls in bursts,
/// reaches that in a quarter of all windows, and even a limit that loses a tenth in each of those and gains
/// one in each of the others stays at thirty.
const FEW: u64 = 5;

// === impl Meter ===

impl Meter {
    pub(crate) fn new(algorithm: Box<dyn Algorithm>) -> Self {
        Self {
            limit: algorithm.limit().max(1),
            algorithm,
            begun: None,
            latencies: Duration::ZERO,
            answered: 0,
            calls: 0,
            dropped: 0,
            lost: 0,
            hurried: 0,
            in_flight: 0,
            usual: Duration::ZERO,
        }
    }

    /// So many calls were answered in this window, as far as those that were timed tell.
    pub(crate) const fn calls(&self) -> u32 {
        self.calls
    }

    /// Adds a call that found `in_flight` under way, itself included. At the end of a window: what has
    /// come of it.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        lesson: Lesson,
        in_flight: u32,
        window: Duration,
    ) -> Option<Closed> {
        let begun = *self.begun.get_or_insert(now);
        match lesson {
            Lesson::Took(latency, stands_for) => {
                let latencies = latency.saturating_mul(stands_for);
                self.latencies = self.latencies.saturating_add(latencies);
                self.answered += 1;
                self.calls = self.calls.saturating_add(stands_for);
            }
            // Who gives no call the time that it takes would else take the room from all others.
            Lesson::TimedOut(after, _) if after < self.usual => self.hurried += 1,
            Lesson::TimedOut(_, stands_for) => self.lose(stands_for),
            Lesson::Dropped => self.lose(1),
        }
        self.in_flight = self.in_flight.max(in_flight);
        // Where nobody is answered, no usual time is an excuse.
        let silent = if self.answered == 0 { self.hurried } else { 0 };
        let enough = self.answered + self.dropped + silent >= SAMPLES;
        if !enough || now.saturating_duration_since(begun) < window {
            return None;
        }
        Some(self.close(now))
    }

    const fn lose(&mut self, stands_for: u32) {
        self.dropped += 1;
        self.lost = self.lost.saturating_add(stands_for);
    }

    fn close(&mut self, now: Instant) -> Closed {
        let latency = self.latencies.checked_div(self.calls);
        let calls = self.calls;
        let (lost, all) = (
            u64::from(self.lost),
            u64::from(calls) + u64::from(self.lost),
        );
        let dropped = lost * FEW > all || latency.is_none();
        self.usual = latency.unwrap_or(self.usual);
        let window = Window::new(now, latency, self.in_flight).dropped(dropped);
        self.begun = Some(now);
        self.latencies = Duration::ZERO;
        (self.answered, self.calls, self.dropped) = (0, 0, 0);
        (self.lost, self.hurried, self.in_flight) = (0, 0, 0);
        Closed {
            limit: self.update(&window),
            calls,
            dropped,
        }
    }

    /// What the algorithm says. It may be the user's, and panic; and a call that panics itself asks it,
    /// too, which must not end the process.
    fn update(&mut self, window: &Window) -> u32 {
        // One of somebody else's may say zero.
        if let Some(limit) = contain(|| self.algorithm.update(window).max(1)) {
            self.limit = limit;
            return limit;
        }
        let broken = mem::replace(&mut self.algorithm, Box::new(Stuck(self.limit)));
        contain(|| drop(broken));
        self.limit
    }
}

// === impl Stuck ===

impl Algorithm for Stuck {
    fn limit(&self) -> u32 {
        self.0
    }

    fn update(&mut self, _: &Window) -> u32 {
        self.0
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("answered", &self.answered)
            .field("dropped", &self.dropped)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
