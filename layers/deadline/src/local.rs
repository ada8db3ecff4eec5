//! The deadline of the request that the present task serves.

use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;
use ziggurat_core::Deadline;

thread_local! {
    // Of the task that is polled: `within` has it there for as long as a poll takes.
    static CURRENT: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// Puts back what was the current deadline before, also when what ran panics.
pub(crate) struct Restore(Option<Deadline>);

pin_project! {
    /// A future that runs under a deadline: see [`scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        deadline: Option<Deadline>,
        #[pin]
        inner: F,
    }
}

/// The deadline of the request that is being served here.
///
/// `None` outside of a server's handler, and in a task that `tokio::spawn` started.
#[must_use]
#[inline]
pub fn current() -> Option<Deadline> {
    CURRENT.get()
}

/// Runs `future` so that [`current`] is `deadline` inside of it. It is not ended by it: the calls
/// that it makes are.
pub const fn scope<F: Future>(deadline: Deadline, future: F) -> Scope<F> {
    Scope {
        deadline: Some(deadline),
        inner: future,
    }
}

/// Spawns a task that keeps the deadline of the request that is being served here.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::spawn` does.
#[allow(
    clippy::disallowed_methods,
    reason = "the caller gets the handle, and owns the task as with tokio's own spawn"
)]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Scope {
        deadline: current(),
        inner: future,
    })
}

/// Runs `f` under `deadline`, or under the present one if there is none.
#[inline(always)]
pub(crate) fn within<T>(deadline: Option<Deadline>, f: impl FnOnce() -> T) -> T {
    match deadline {
        None => f(),
        Some(deadline) => served(deadline, f),
    }
}

/// Apart: most calls serve nobody, and what they do is better built into its place.
#[inline(never)]
fn served<T>(deadline: Deadline, f: impl FnOnce() -> T) -> T {
    let _current = enter(Some(deadline));
    f()
}

/// [`within`], until what is returned is dropped: for what is too large to be moved out of a closure.
#[inline]
pub(crate) fn enter(deadline: Option<Deadline>) -> Option<Restore> {
    deadline.map(|deadline| Restore(CURRENT.replace(Some(deadline))))
}

// === impl Scope ===

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        within(*this.deadline, || this.inner.poll(cx))
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

// === impl Restore ===

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
