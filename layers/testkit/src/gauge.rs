//! What a [`Counting`](crate::Counting) service counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::sync::watch;

/// Reads the counters of one [`Counting`](crate::Counting) and all its clones.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    polls: AtomicUsize,
    clones: AtomicUsize,
    started: AtomicUsize,
    finished: AtomicUsize,
    dropped: AtomicUsize,
    in_flight: AtomicUsize,
    highest: AtomicUsize,
    changes: watch::Sender<()>,
}

/// One live instance of the service.
#[derive(Debug)]
pub(crate) struct Instance(Gauge);

/// One call under way; counts itself as dropped unless it was finished.
#[derive(Debug)]
pub(crate) struct InFlight {
    gauge: Gauge,
    finished: bool,
}

// === impl Gauge ===

impl Gauge {
    /// How often `poll_ready` was asked.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.0.polls.load(Relaxed)
    }

    /// Instances alive now, the first one included.
    #[must_use]
    pub fn clones(&self) -> usize {
        self.0.clones.load(Relaxed)
    }

    /// Calls that reached the service.
    #[must_use]
    pub fn started(&self) -> usize {
        self.0.started.load(Relaxed)
    }

    /// Calls whose future completed, well or not.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.0.finished.load(Relaxed)
    }

    /// Calls whose future was dropped before it completed.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.0.dropped.load(Relaxed)
    }

    /// Calls under way now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Relaxed)
    }

    /// The most calls that were ever under way at once.
    #[must_use]
    pub fn highest(&self) -> usize {
        self.0.highest.load(Relaxed)
    }

    /// Fails the test when a call is still under way.
    ///
    /// # Panics
    /// When [`in_flight`](Self::in_flight) is not 0, or some call neither finished nor was dropped.
    #[track_caller]
    pub fn assert_idle(&self) {
        assert_eq!(self.in_flight(), 0, "calls still under way: {self:?}");
        assert_eq!(
            self.started(),
            self.finished() + self.dropped(),
            "calls lost: {self:?}"
        );
    }

    /// Returns when `reached` says so of the counters, asked after each change: `gauge.until(|gauge| gauge.in_flight() == 2)`.
    pub async fn until(&self, mut reached: impl FnMut(&Self) -> bool) {
        let mut changes = self.0.changes.subscribe();
        // The sender lives as long as `self`.
        let _ = changes.wait_for(|()| reached(self)).await;
    }

    /// Tells who waits that something changed, here or in what is counted beside this gauge.
    pub(crate) fn changed(&self) {
        self.0.changes.send_replace(());
    }

    pub(crate) fn poll(&self) {
        self.0.polls.fetch_add(1, Relaxed);
        self.changed();
    }

    pub(crate) fn instance(&self) -> Instance {
        self.0.clones.fetch_add(1, Relaxed);
        self.changed();
        Instance(self.clone())
    }

    pub(crate) fn start(&self) -> InFlight {
        self.0.started.fetch_add(1, Relaxed);
        let now = self.0.in_flight.fetch_add(1, Relaxed) + 1;
        self.0.highest.fetch_max(now, Relaxed);
        self.changed();
        InFlight {
            gauge: self.clone(),
            finished: false,
        }
    }
}

// === impl Instance ===

impl Instance {
    pub(crate) const fn gauge(&self) -> &Gauge {
        &self.0
    }
}

impl Clone for Instance {
    fn clone(&self) -> Self {
        self.0.instance()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.0.clones.fetch_sub(1, Relaxed);
        self.0.changed();
    }
}

// === impl InFlight ===

impl InFlight {
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let counters = &self.gauge.0;
        let end = if self.finished {
            &counters.finished
        } else {
            &counters.dropped
        };
        end.fetch_add(1, Relaxed);
        counters.in_flight.fetch_sub(1, Relaxed);
        self.gauge.changed();
    }
}
