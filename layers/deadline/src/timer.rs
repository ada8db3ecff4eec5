//! What is left of a call's time.

use crate::{Exceeded, Observer, Phase, alarm::Alarm, local, mode::Due, observer::Told};
use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use ziggurat_core::{
    Deadline, Whereabouts,
    clock::{self, Instant},
    expire,
};

/// What is left of a call's time, on its way from the call's future to its body.
///
/// Nothing is registered with the runtime until something pends.
// Six words: futures and bodies are moved, and carry it along.
pub struct Timer {
    /// `None`: from the first time that the call waits.
    deadline: Option<Deadline>,
    /// All the time that there is, in nanoseconds.
    most: u64,
    scoped: bool,
    alarm: Alarm,
    observer: Told,
}

// === impl Timer ===

impl Timer {
    #[inline]
    pub(crate) fn new(due: Due, scoped: bool, observer: Told) -> Self {
        let (deadline, most) = match due {
            Due::At { deadline, left } => (Some(deadline), left),
            Due::Within(most) => (None, most),
        };
        Self {
            deadline,
            most: nanos(most),
            scoped,
            alarm: Alarm::default(),
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
        let most = Duration::from_nanos(self.most);
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Deadline::after_from(most, now));
        // Whatever woke the task, time is asked: another timer that fires in the same tick may have
        // come first, and must not answer in our place.
        if deadline.is_over(now) {
            return Poll::Ready(now);
        }
        self.alarm.poll_at(deadline, cx).map(|()| clock::now())
    }

    /// The present moment, if the deadline has passed.
    #[must_use]
    pub fn over(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        let now = clock::now();
        deadline.is_over(now).then_some(now)
    }

    /// Runs `end`, which drops what is left of the call because its time was up at `now`: the error.
    pub fn end(&self, phase: Phase, now: Instant, end: impl FnOnce()) -> Exceeded {
        let after = self.deadline.map_or(Duration::ZERO, |deadline| {
            let late = now.saturating_duration_since(deadline.instant());
            Duration::from_nanos(self.most).saturating_add(late)
        });
        // Whoever keeps a record inside need not have been told the deadline.
        let ((), call) = Whereabouts::inquire(|| expire(end));
        let error = Exceeded::new(phase, after, call, Some(now));
        self.observer.exceeded(&error);
        error
    }

    /// When the call must be over. `None`: it has not waited yet, and nothing but waiting counts.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Runs `f` so that it sees the deadline as the current one, if the call serves a request.
    #[inline]
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        local::within(self.scope(), f)
    }

    /// What the call makes the current deadline.
    #[inline]
    pub(crate) const fn scope(&self) -> Option<Deadline> {
        if self.scoped { self.deadline } else { None }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("deadline", &self.deadline)
            .field("most", &Duration::from_nanos(self.most))
            .field("armed", &self.alarm.is_armed())
            .finish_non_exhaustive()
    }
}

/// More than 584 years are as good.
#[inline]
fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.subsec_nanos().into())
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
        let left = Duration::from_millis(5);
        let mut timer = Timer::new(Due::At { deadline, left }, false, Told::default());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(timer.poll_over(&mut cx).is_ready());
        assert!(!timer.alarm.is_armed());
        assert_eq!(timer.deadline(), Some(deadline));
    }
}
