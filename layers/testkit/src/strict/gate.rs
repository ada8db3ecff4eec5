//! Readiness in the hands of the test.

use crate::{BoxError, lock};
use std::{
    mem,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

/// Decides what `poll_ready` of every [`Strict`](super::Strict) that was given it answers; clones are the same gate. Starts open.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    closed: bool,
    failures: usize,
    polls: usize,
    wakers: Vec<Waker>,
}

// === impl Gate ===

impl Gate {
    /// A gate at which every `poll_ready` is Pending until [`open`](Self::open).
    #[must_use]
    pub fn closed() -> Self {
        let gate = Self::default();
        gate.close();
        gate
    }

    /// Lets everyone through, and wakes who waits.
    pub fn open(&self) {
        self.change(|state| state.closed = false);
    }

    /// Makes `poll_ready` Pending from now on.
    pub fn close(&self) {
        lock(&self.0).closed = true;
    }

    /// Makes the next `times` calls of `poll_ready` fail, open or not, and wakes who waits.
    pub fn fail_next(&self, times: usize) {
        self.change(|state| state.failures = times);
    }

    /// How often `poll_ready` was asked, over all clones: a layer that spins shows here.
    #[must_use]
    pub fn polls(&self) -> usize {
        lock(&self.0).polls
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut state = lock(&self.0);
        state.polls += 1;
        if state.failures > 0 {
            state.failures -= 1;
            return Poll::Ready(Err("poll_ready was told to fail".into()));
        }
        if !state.closed {
            return Poll::Ready(Ok(()));
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Wakes outside the lock: a waker may poll at once.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = lock(&self.0);
            change(&mut state);
            mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
