//! The context of the request that the present task serves.

use crate::TraceContext;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;
use tracing::Instrument;

tokio::task_local! {
    static CURRENT: TraceContext;
}

pin_project! {
    /// A future that runs in a trace: see [`scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        context: Option<TraceContext>,
        #[pin]
        inner: F,
    }
}

/// The context of the request that is being served here.
///
/// `None` outside of a server's handler, and in a task that `tokio::spawn` started.
#[must_use]
pub fn current() -> Option<TraceContext> {
    with_current(TraceContext::clone)
}

/// Runs `future` so that [`current`] is `context` inside of it, as for a message from a queue.
pub const fn scope<F: Future>(context: TraceContext, future: F) -> Scope<F> {
    Scope {
        context: Some(context),
        inner: future,
    }
}

/// Spawns a task that stays in the trace of the request that is being served here, and in the
/// present span.
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
    let scope = Scope {
        context: current(),
        inner: future,
    };
    tokio::spawn(scope.in_current_span())
}

pub(crate) fn with_current<T>(f: impl FnOnce(&TraceContext) -> T) -> Option<T> {
    CURRENT.try_with(f).ok()
}

/// Runs `f` in `context`, or in the present one if there is none.
pub(crate) fn within<T>(context: Option<&TraceContext>, f: impl FnOnce() -> T) -> T {
    match context {
        Some(context) => CURRENT.sync_scope(context.clone(), f),
        None => f(),
    }
}

// === impl Scope ===

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        within(this.context.as_ref(), || this.inner.poll(cx))
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
