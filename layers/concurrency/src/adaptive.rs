//! A limit that is found: the present one, and what learns the next.
//!
//! Two looks at the clock and a lock cost more than all the rest of a call. So of many calls only some
//! are timed, by chance, as long as there are permits to spare and nothing is dropped: a mean of
//! dozens is as good as one of thousands. Whoever finds no permit has all of them timed again, until
//! the window ends.

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
use ziggurat_core::{Dice, clock::Instant};

/// Finds a limit. Clones start anew.
pub(crate) struct Adaptive {
    make: Arc<dyn Fn() -> Box<dyn Algorithm> + Send + Sync>,
    limit: AtomicU32,
    /// One call in so many is timed: a power of two, or [`ALL`].
    stride: AtomicU32,
    meter: Mutex<Meter>,
}

/// So many timed calls are enough for a window.
const SAMPLES: u32 = 64;
/// A rate that falls to a tenth still has a sample or more for each of the calls that a window needs.
const MOST: u32 = 16;
/// Every call is timed, however many come, until the window ends.
const ALL: u32 = 0;

// === impl Adaptive ===

impl Adaptive {
    pub(crate) fn new<A: Algorithm + Clone + Sync>(algorithm: A) -> Self {
        Self::make(Arc::new(move || Box::new(algorithm.clone())))
    }

    fn make(make: Arc<dyn Fn() -> Box<dyn Algorithm> + Send + Sync>) -> Self {
        let algorithm = make();
        Self {
            limit: AtomicU32::new(algorithm.limit().max(1)),
            stride: AtomicU32::new(1),
            meter: Mutex::new(Meter::new(algorithm)),
            make,
        }
    }

    #[inline]
    pub(crate) fn limit(&self) -> u32 {
        // Relaxed: a number that stands for itself.
        self.limit.load(Ordering::Relaxed)
    }

    /// Is it worth a look at the clock how long the next call takes, and for how many does it stand then?
    #[inline]
    pub(crate) fn timed(&self) -> Option<u32> {
        let stride = self.stride.load(Ordering::Relaxed).max(1);
        let timed = stride == 1 || Dice::new().number() & u64::from(stride - 1) == 0;
        timed.then_some(stride)
    }

    /// Something is up: from now on every call is timed.
    pub(crate) fn time_all(&self) {
        // Who only looks leaves the line of cache to all.
        if self.stride.load(Ordering::Relaxed) != ALL {
            self.stride.store(ALL, Ordering::Relaxed);
        }
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
        let stride = self.stride.load(Ordering::Relaxed);
        let meter = match lesson {
            // Who finds it taken does not wait: of many that go well, one is as good as another.
            Lesson::Took(..) => self.meter.try_lock().ok(),
            Lesson::Dropped | Lesson::TimedOut(..) => {
                self.time_all();
                self.meter.lock().ok()
            }
        };
        // Nothing panics under this lock.
        let mut meter = meter?;
        let Some(closed) = meter.add(now, lesson, in_flight, window) else {
            self.thin_out(stride, meter.calls());
            return None;
        };
        // Of the next window, if as many calls come as in this one.
        let next = match closed.dropped {
            true => ALL,
            false => stride_of(closed.calls),
        };
        self.stride.store(next, Ordering::Relaxed);
        let before = self.limit.swap(closed.limit, Ordering::Relaxed);
        (before != closed.limit).then_some((before, closed.limit))
    }

    /// Many calls have come, and the window is not over: the first of all, or of a rush. One step at a
    /// time, and never of a stride that somebody has changed.
    fn thin_out(&self, stride: u32, calls: u32) {
        if stride != ALL && stride_of(calls) > stride {
            let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
            _ = self.stride.compare_exchange(stride, 2 * stride, set, fetch);
        }
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

/// One in how many calls is enough, where so many come in a window; a power of two.
fn stride_of(calls: u32) -> u32 {
    1 << (calls / SAMPLES).clamp(1, MOST).ilog2()
}

#[cfg(test)]
mod tests;
