//! Where the driver and the calls meet.

use crate::{
    facts::Facts,
    panic::Panic,
    policy::{Arrange, Endpoints},
    set::{Copied, Set},
};
use arc_swap::{ArcSwap, Guard};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::Notify;
use ziggurat_core::contain;

/// The endpoints as they are now, and a bell that rings when they change.
pub(crate) struct Hub<E, P: Arrange> {
    set: ArcSwap<Set<E, P::Table>>,
    changed: Arc<Notify>,
    panic: Panic,
    policy: P,
    facts: Arc<Facts>,
}

// === impl Hub ===

impl<E, P: Arrange> Hub<E, P> {
    pub(crate) fn new(policy: P, facts: Arc<Facts>) -> Self {
        Self {
            set: ArcSwap::from_pointee(arranged(Copied::empty(), &policy)),
            changed: Arc::new(Notify::new()),
            panic: Panic::default(),
            policy,
            facts,
        }
    }

    #[inline]
    pub(crate) fn set(&self) -> Guard<Arc<Set<E, P::Table>>> {
        self.set.load()
    }

    /// Rings when the set has changed, or whether one of its members may be picked.
    pub(crate) const fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    #[inline]
    pub(crate) const fn panic(&self) -> &Panic {
        &self.panic
    }

    pub(crate) const fn policy(&self) -> &P {
        &self.policy
    }

    pub(crate) const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The same endpoints, of which more is known now.
    pub(crate) fn arrange_again(&self) {
        // No bell: whoever waits for one of them waits for the same.
        let all = self.set().copied();
        if let Some(set) = self.arranged(all) {
            self.set.store(Arc::new(set));
        }
    }

    pub(crate) fn publish(&self, all: Copied<E>) {
        let endpoints = all.candidates().len();
        let Some(set) = self.arranged(all) else {
            return;
        };
        self.set.store(Arc::new(set));
        // After the store: who looked before it hears the bell, who looks after it sees the set.
        self.changed.notify_waiters();
        if let Some(observer) = self.facts.observer() {
            contain(|| observer.published(self.facts.service(), endpoints));
        }
    }

    /// `None`: the policy panicked, and what it made of the endpoints before stands.
    fn arranged(&self, all: Copied<E>) -> Option<Set<E, P::Table>> {
        // The copy goes with the panic, and a policy has only shared access to itself: the next change
        // has it try again, or one bad set would have discovery stop for good.
        let arranged = catch_unwind(AssertUnwindSafe(|| arranged(all, &self.policy)));
        if arranged.is_err() {
            let told = "the policy panicked: the endpoints stay as it arranged them last";
            self.facts.trouble(&told.into());
        }
        arranged.ok()
    }
}

impl<E, P: Arrange> fmt::Debug for Hub<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("facts", &self.facts)
            .field("endpoints", &*self.set.load())
            .finish_non_exhaustive()
    }
}

fn arranged<E, P: Arrange>(all: Copied<E>, policy: &P) -> Set<E, P::Table> {
    let table = policy.arrange(&Endpoints::new(all.candidates()));
    Set::new(all, table)
}
