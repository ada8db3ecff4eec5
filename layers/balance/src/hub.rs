//! Where the driver and the calls meet.

use crate::{facts::Facts, policy::Usual, set::Set};
use arc_swap::{ArcSwap, Guard};
use std::{fmt, sync::Arc};
use tokio::sync::Notify;

/// The endpoints as they are now, and a bell that rings when they change.
pub(crate) struct Hub<E> {
    set: ArcSwap<Set<E>>,
    changed: Arc<Notify>,
    usual: Usual,
    facts: Arc<Facts>,
}

// === impl Hub ===

impl<E> Hub<E> {
    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        Self {
            set: ArcSwap::from_pointee(Set::empty()),
            changed: Arc::new(Notify::new()),
            usual: Usual::default(),
            facts,
        }
    }

    pub(crate) fn set(&self) -> Guard<Arc<Set<E>>> {
        self.set.load()
    }

    /// Rings when the set has changed, or whether one of its members may be picked.
    pub(crate) const fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    pub(crate) const fn usual(&self) -> &Usual {
        &self.usual
    }

    pub(crate) const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    pub(crate) fn publish(&self, set: Set<E>) {
        let endpoints = set.candidates().len();
        self.set.store(Arc::new(set));
        // After the store: who looked before it hears the bell, who looks after it sees the set.
        self.changed.notify_waiters();
        if let Some(observer) = self.facts.observer() {
            observer.published(self.facts.service(), endpoints);
        }
    }
}

impl<E> fmt::Debug for Hub<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("facts", &self.facts)
            .field("endpoints", &*self.set.load())
            .finish_non_exhaustive()
    }
}
