//! Counts the calls in flight, so that closing a channel can wait for them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// Lets calls in until it is closed, and knows when the last one has left.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
}

/// A call in flight. Dropping it is leaving.
#[derive(Debug)]
pub(super) struct Inside(Arc<Gate>);

// === impl Gate ===

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Inside> {
        // SeqCst on both sides: either this sees the gate closed, or `close` sees this call inside.
        self.inside.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(Arc::clone(self));
        (!self.closed.load(Ordering::SeqCst)).then_some(inside)
    }

    /// Lets nobody in from now on, and waits until everybody has left.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut left = std::pin::pin!(self.left.notified());
        while self.inside.load(Ordering::SeqCst) > 0 {
            left.as_mut().enable();
            if self.inside.load(Ordering::SeqCst) == 0 {
                break;
            }
            left.as_mut().await;
            left.set(self.left.notified());
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

// === impl Inside ===

impl Drop for Inside {
    fn drop(&mut self) {
        let gate = &self.0;
        if gate.inside.fetch_sub(1, Ordering::SeqCst) == 1 && gate.closed.load(Ordering::SeqCst) {
            gate.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn closing_waits_for_the_last_call_and_lets_no_other_in() {
        let gate = Arc::new(Gate::default());
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
