//! How calls go, summed up a window at a time for the algorithm.

use crate::{Algorithm, algorithm::Window};
use std::{fmt, time::Duration};
use ziggurat_core::clock::Instant;

/// The window that is open, and who learns from it.
pub(crate) struct Meter {
    algorithm: Box<dyn Algorithm>,
    begun: Option<Instant>,
    latencies: Duration,
    answered: u32,
    dropped: u32,
    in_flight: u32,
}

/// What one call teaches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lesson {
    Took(Duration),
    Dropped,
}

/// What has come of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    /// From now on.
    pub(crate) limit: u32,
    pub(crate) answered: u32,
    pub(crate) dropped: bool,
}

/// Fewer say nothing: one of them may be an accident.
const SAMPLES: u32 = 10;

// === impl Meter ===

impl Meter {
    pub(crate) fn new(algorithm: Box<dyn Algorithm>) -> Self {
        Self {
            algorithm,
            begun: None,
            latencies: Duration::ZERO,
            answered: 0,
            dropped: 0,
            in_flight: 0,
        }
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
            Lesson::Took(latency) => {
                self.latencies = self.latencies.saturating_add(latency);
                self.answered += 1;
            }
            Lesson::Dropped => self.dropped += 1,
        }
        self.in_flight = self.in_flight.max(in_flight);
        let enough = self.answered.saturating_add(self.dropped) >= SAMPLES;
        if !enough || now.saturating_duration_since(begun) < window {
            return None;
        }
        Some(self.close(now))
    }

    fn close(&mut self, now: Instant) -> Closed {
        let latency = self.latencies.checked_div(self.answered);
        let (answered, dropped) = (self.answered, self.dropped > 0);
        let window = Window::new(now, latency, self.in_flight).dropped(dropped);
        self.begun = Some(now);
        self.latencies = Duration::ZERO;
        (self.answered, self.dropped, self.in_flight) = (0, 0, 0);
        Closed {
            // An algorithm of somebody else's may say zero.
            limit: self.algorithm.update(&window).max(1),
            answered,
            dropped,
        }
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
