//! What is left of a call's time.

use crate::{Exceeded, Observer, Phase, local, mode::Due};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep_until};
use ziggurat_core::{
    Deadline, Whereabouts,
    clock::{self, Instant},
};

/// What is left of a call's time, on its way from the call's future to its body.
///
/// Nothing is registered with the runtime until something pends.
pub struct Timer {
    due: Due,
    scoped: bool,
    // Boxed so that it may move from the future to a body that is `Unpin`.
    sleep: Option<Pin<Box<Sleep>>>,
    observer: Option<Arc<dyn Observer>>,
}

// === impl Timer ===

impl Timer {
    pub(crate) const fn new(due: Due, scoped: bool, observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            due,
            scoped,
            sleep: None,
            observer,
        }
    }

    /// Ready, with the present moment, when the deadline has passed; what it covers has been polled
    /// before, and pends.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its timer on.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let now = clock::now();
        let deadline = self.fix(now);
        // Whatever woke the task, time is asked: another timer that fires in the same tick may have
        // come first, and must not answer in our place.
        if deadline.is_over(now) {
            return Poll::Ready(now);
        }
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.instant())));
        sleep.as_mut().poll(cx).map(|()| clock::now())
    }

    /// The present moment, if the deadline has passed.
    #[must_use]
    pub fn over(&self) -> Option<Instant> {
        let Due::At { deadline, .. } = self.due else {
            return None;
        };
        let now = clock::now();
        deadline.is_over(now).then_some(now)
    }

    /// Runs `end`, which drops what is left of the call because its time was up at `now`: the error.
    pub fn end(&self, phase: Phase, now: Instant, end: impl FnOnce()) -> Exceeded {
        let after = match self.due {
            Due::At { started, .. } => now.saturating_duration_since(started),
            Due::Within(_) => Duration::ZERO,
        };
        let ((), call) = Whereabouts::inquire(end);
        let error = Exceeded::new(phase, after, call, Some(now));
        if let Some(observer) = &self.observer {
            observer.exceeded(&error);
        }
        error
    }

    /// When the call must be over. `None`: it has not waited yet, and nothing but waiting counts.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        match self.due {
            Due::At { deadline, .. } => Some(deadline),
            Due::Within(_) => None,
        }
    }

    /// Runs `f` so that it sees the deadline as the current one, if the call serves a request.
    #[inline]
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        let scope = if self.scoped { self.deadline() } else { None };
        local::within(scope, f)
    }

    fn fix(&mut self, now: Instant) -> Deadline {
        match self.due {
            Due::At { deadline, .. } => deadline,
            Due::Within(timeout) => {
                let deadline = Deadline::after_from(timeout, now);
                self.due = Due::At {
                    deadline,
                    started: now,
                };
                deadline
            }
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("due", &self.due)
            .field("armed", &self.sleep.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    // Outside of a runtime: arming a timer would panic.
    #[test]
    fn once_time_is_up_no_timer_is_waited_for() {
        let now = clock::now();
        let deadline = Deadline::at(now);
        let started = now.checked_sub(Duration::from_millis(5)).unwrap_or(now);
        let mut timer = Timer::new(Due::At { deadline, started }, false, None);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(timer.poll_over(&mut cx).is_ready());
        assert!(timer.sleep.is_none());
        assert_eq!(timer.deadline(), Some(deadline));
    }
}
