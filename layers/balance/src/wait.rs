//! Waiting for a change, but not for ever. Made only by calls that have to.

use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Sleep,
};
use ziggurat_core::clock::Instant;

pin_project! {
    /// Hears the bell, and looks at the clock.
    #[derive(Debug)]
    pub(crate) struct Wait {
        bell: Arc<Notify>,
        #[pin]
        notified: OwnedNotified,
        #[pin]
        sleep: Option<Sleep>,
        began: Instant,
    }
}

// === impl Wait ===

impl Wait {
    pub(crate) fn new(bell: &Arc<Notify>, now: Instant) -> Self {
        Self {
            bell: Arc::clone(bell),
            notified: Arc::clone(bell).notified_owned(),
            sleep: None,
            began: now,
        }
    }

    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// Has the bell rung since this was last asked? If not, the task is woken when it does.
    pub(crate) fn poll_changed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let mut changed = false;
        while this.notified.as_mut().poll(cx).is_ready() {
            changed = true;
            let again = Arc::clone(this.bell).notified_owned();
            this.notified.set(again);
        }
        changed
    }

    /// Is it as late as `until`? If not, the task is woken when it is.
    pub(crate) fn poll_until(
        self: Pin<&mut Self>,
        until: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut this = self.project();
        let Some(until) = until else {
            this.sleep.set(None);
            return Poll::Pending;
        };
        match this.sleep.as_mut().as_pin_mut() {
            Some(sleep) if sleep.deadline() == until => {}
            Some(sleep) => sleep.reset(until),
            None => this.sleep.set(Some(tokio::time::sleep_until(until))),
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx),
            None => Poll::Pending,
        }
    }
}
