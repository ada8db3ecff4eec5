//! The chain that the present task belongs to.

use super::Chain;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;

tokio::task_local! {
    static CURRENT: Chain;
}

pin_project! {
    /// A future that is part of a chain: see [`Chain::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        chain: Option<Chain>,
        #[pin]
        inner: F,
    }
}

/// The chain of the request that is being served here.
///
/// `None` outside of a handler below a [`ChainLayer`](super::ChainLayer), and in a task that
/// `tokio::spawn` started.
#[must_use]
pub fn current() -> Option<Chain> {
    CURRENT.try_with(Chain::clone).ok()
}

/// Spawns a task that belongs to the chain of the request that is being served here.
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
    tokio::spawn(Scope::new(current(), future))
}

/// Runs `f` as part of `chain`, or of the present one if there is none.
pub(super) fn within<T>(chain: Option<&Chain>, f: impl FnOnce() -> T) -> T {
    match chain {
        Some(chain) => CURRENT.sync_scope(chain.clone(), f),
        None => f(),
    }
}

/// Does the request that is being served here belong to a further attempt?
pub(crate) fn is_again() -> bool {
    CURRENT.try_with(Chain::is_again).unwrap_or(false)
}

/// A call that was made here is not worth another try.
pub(crate) fn give_up() {
    // Nobody to tell it to is no error.
    let _ = CURRENT.try_with(Chain::give_up);
}

// === impl Scope ===

impl<F> Scope<F> {
    pub(super) const fn new(chain: Option<Chain>, inner: F) -> Self {
        Self { chain, inner }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        within(this.chain.as_ref(), || this.inner.poll(cx))
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
