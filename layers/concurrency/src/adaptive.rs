//! A limit that is found: the present one, and what learns the next.

use crate::{
    Algorithm,
    meter::{Lesson, Meter},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use ziggurat_core::clock::Instant;

/// Finds a limit. Clones start anew.
pub(crate) struct Adaptive {
    make: Arc<dyn Fn() -> Box<dyn Algorithm> + Send + Sync>,
    limit: AtomicU32,
    meter: Mutex<Meter>,
}

// === impl Adaptive ===

impl Adaptive {
    pub(crate) fn new<A: Algorithm + Clone + Sync>(algorithm: A) -> Self {
        Self::make(Arc::new(move || Box::new(algorithm.clone())))
    }

    fn make(make: Arc<dyn Fn() -> Box<dyn Algorithm> + Send + Sync>) -> Self {
        let algorithm = make();
        Self {
            limit: AtomicU32::new(algorithm.limit().max(1)),
            meter: Mutex::new(Meter::new(algorithm)),
            make,
        }
    }

    #[inline]
    pub(crate) fn limit(&self) -> u32 {
        // Relaxed: a number that stands for itself.
        self.limit.load(Ordering::Relaxed)
    }

    /// Learns from a call. If that changed the limit: from what, to what.
    #[inline]
    pub(crate) fn learn(
        &self,
        now: Instant,
        lesson: Lesson,
        in_flight: u32,
        window: Duration,
    ) -> Option<(u32, u32)> {
        let meter = match lesson {
            // Who finds it taken does not wait: of many that go well, one is as good as another.
            Lesson::Took(_) => self.meter.try_lock().ok(),
            Lesson::Dropped => self.meter.lock().ok(),
        };
        // Lost for good if an algorithm of the user's has panicked: the limit stays.
        let limit = meter?.add(now, lesson, in_flight, window)?;
        let before = self.limit.swap(limit, Ordering::Relaxed);
        (before != limit).then_some((before, limit))
    }
}

impl Clone for Adaptive {
    fn clone(&self) -> Self {
        Self::make(Arc::clone(&self.make))
    }
}

impl fmt::Debug for Adaptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adaptive")
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
