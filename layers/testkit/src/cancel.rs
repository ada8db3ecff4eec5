//! Dropping a future at every place where it can be dropped.

use crate::lock;
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// Longer than any timer that a test of a layer sets; on a paused clock it costs nothing.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The wake-ups of one future: those of its dropped forerunners, which may still come, are no reason to poll it.
struct Wakes {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

/// Makes a future, polls it `n` times and drops it, for `n` = 0, 1, 2, ... until one completes, whose output it answers.
///
/// Between two polls it waits until the future is woken, so timers and permits work as usual.
///
/// # Panics
/// When a future is not woken for an hour of tokio's clock (a lost wake-up), or outside a runtime.
pub async fn drop_at_every_await<F: Future>(make: impl FnMut() -> F) -> F::Output {
    drop_at_every_await_then(make, |_| {}).await
}

/// [`drop_at_every_await`], which calls `check` with the number of polls after each drop: whatever the future took must be back.
///
/// # Panics
/// As [`drop_at_every_await`] does, and when `check` does.
pub async fn drop_at_every_await_then<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(usize),
) -> F::Output {
    for polls in 0_usize.. {
        if let Some(output) = poll_then_drop(make(), polls).await {
            return output;
        }
        check(polls);
    }
    unreachable!("no future is polled usize::MAX times")
}

async fn poll_then_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut left = polls;
    let polled = poll_fn(|cx| {
        wakes.listen(cx);
        while left > 0 && wakes.take() {
            left -= 1;
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(Some(output));
            }
        }
        if left == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    });
    match tokio::time::timeout(PATIENCE, polled).await {
        Ok(output) => output,
        Err(_) => panic!("a future was polled less than {polls} times and never woken again"),
    }
}

// === impl Wakes ===

impl Wakes {
    fn listen(&self, cx: &Context<'_>) {
        *lock(&self.task) = Some(cx.waker().clone());
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Relaxed)
    }
}

impl Default for Wakes {
    /// The first poll needs no wake-up.
    fn default() -> Self {
        Self {
            woken: AtomicBool::new(true),
            task: Mutex::default(),
        }
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Relaxed);
        if let Some(task) = lock(&self.task).take() {
            task.wake();
        }
    }
}
