//! The context of the request that the present task serves.

use crate::TraceContext;
use pin_project_lite::pin_project;
use std::{
    cell::RefCell,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;
use tracing::Instrument;

thread_local! {
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
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

/// A context that has changed places with the one that was current; dropped, they change back.
pub(crate) struct Swapped<'c>(&'c mut Option<TraceContext>);

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
    let current = CURRENT.try_with(|current| current.borrow().as_ref().map(f));
    // Of a thread that is ending nothing is current.
    current.ok().flatten()
}

/// Makes `context` current until what is returned is dropped; without one, what is current stays.
///
/// They change places, rather than that one is cloned: what a context carries is counted by all its
/// clones. And it is no function around another, for which a request would be moved twice.
#[inline]
pub(crate) fn enter(context: Option<&mut Option<TraceContext>>) -> Option<Swapped<'_>> {
    let context = context.filter(|context| context.is_some())?;
    swap(context);
    Some(Swapped(context))
}

// === impl Scope ===

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _current = enter(Some(this.context));
        this.inner.poll(cx)
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

// === impl Swapped ===

/// Also when what ran in between panics.
impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(context: &mut Option<TraceContext>) {
    // Nobody asks a thread that is ending.
    let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), context));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use ziggurat_core::Dice;

    #[test]
    fn what_was_current_is_so_again_also_after_a_panic() {
        let dice = Dice::new();
        let [outer, inner] = [(); 2].map(|()| TraceContext::root(&dice));
        let (mut one, mut other) = (Some(outer.clone()), Some(inner.clone()));
        let entered = enter(Some(&mut one));
        catch_unwind(AssertUnwindSafe(|| {
            let _entered = enter(Some(&mut other));
            assert_eq!(current().as_ref(), Some(&inner));
            panic!("on purpose");
        }))
        .unwrap_err();
        assert!(enter(None).is_none() && enter(Some(&mut None)).is_none());
        assert_eq!(current().as_ref(), Some(&outer));
        drop(entered);
        assert_eq!((current(), one, other), (None, Some(outer), Some(inner)));
    }
}
