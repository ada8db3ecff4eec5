//! Knows when the last call in flight is over, so that closing a channel can wait for it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// Lets calls in until it is closed, and knows when the last one has left.
#[derive(Debug)]
pub(super) struct Gate {
    closed: AtomicBool,
    /// The gate's own presence, until it is closed.
    own: Mutex<Option<Inside>>,
    presence: Weak<Presence>,
    empty: Arc<Empty>,
}

/// A call in flight. Dropping it is leaving.
///
/// The count of its references is the count of those inside: a call touches no other.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    _presence: Arc<Presence>,
}

/// Dropped when nobody is inside any more.
#[derive(Debug)]
struct Presence(Arc<Empty>);

/// Whether everybody has left a gate that is closed.
#[derive(Debug, Default)]
struct Empty {
    is: AtomicBool,
    told: Notify,
}

// === impl Gate ===

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub(super) fn enter(&self) -> Option<Inside> {
        if self.is_closed() {
            return None;
        }
        // Who comes in while it is being closed is waited for, like the others that are still inside.
        self.presence.upgrade().map(|presence| Inside {
            _presence: presence,
        })
    }

    /// Lets nobody in from now on, and waits until everybody has left.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let own = self.own().take();
        // Outside of the lock: the last one tells all who wait.
        drop(own);
        let mut told = std::pin::pin!(self.empty.told.notified());
        told.as_mut().enable();
        if !self.empty.is.load(Ordering::Acquire) {
            told.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn own(&self) -> MutexGuard<'_, Option<Inside>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        let empty = Arc::<Empty>::default();
        let presence = Arc::new(Presence(Arc::clone(&empty)));
        Self {
            closed: AtomicBool::new(false),
            presence: Arc::downgrade(&presence),
            own: Mutex::new(Some(Inside {
                _presence: presence,
            })),
            empty,
        }
    }
}

// === impl Presence ===

impl Drop for Presence {
    fn drop(&mut self) {
        // Release pairs with the Acquire in `close`; who is told has seen it before it waits, or is told.
        self.0.is.store(true, Ordering::Release);
        self.0.told.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn closing_waits_for_the_last_call_and_lets_no_other_in() {
        let gate = Gate::default();
        let (one, other) = (gate.enter().unwrap(), gate.enter().unwrap());
        let closing = gate.close();
        let mut closing = std::pin::pin!(closing);
        let second = Duration::from_secs(1);
        assert!(
            tokio::time::timeout(second, closing.as_mut())
                .await
                .is_err()
        );
        assert!(gate.is_closed() && gate.enter().is_none());
        drop(one);
        assert!(
            tokio::time::timeout(second, closing.as_mut())
                .await
                .is_err()
        );
        drop(other);
        closing.await;
        gate.close().await;
    }
}
