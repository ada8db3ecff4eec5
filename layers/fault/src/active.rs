//! How many calls have a fault at this time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts the calls that have a fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

/// A call that has a fault; dropped, it has none any more.
#[derive(Debug)]
pub(crate) struct Active(Arc<AtomicUsize>);

// === impl Count ===

impl Count {
    /// One more, unless there are `most` already.
    pub(crate) fn begin(&self, most: usize) -> Option<Active> {
        let more = |active| (active < most).then(|| active + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Active(Arc::clone(&self.0)))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Active ===

impl Drop for Active {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
