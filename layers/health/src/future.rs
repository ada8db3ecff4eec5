//! The futures of the connector and of its endpoints.

use crate::{Checked, Watch, group::Group};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use ziggurat_core::{Endpoint, Observed};

/// The answer of a [`Checked`] endpoint. Dropped, the call was cancelled.
pub type ResponseFuture<F, C> = Observed<F, C, Watch>;

pin_project! {
    /// The answer of [`Health`](crate::Health): an endpoint that is watched.
    #[must_use = "futures do nothing unless polled"]
    pub struct ConnectFuture<F, C> {
        #[pin]
        inner: F,
        // Taken when the endpoint is there.
        parts: Option<(C, Arc<Group>)>,
    }
}

// === impl ConnectFuture ===

impl<F, C> ConnectFuture<F, C> {
    pub(crate) const fn new(inner: F, classify: C, group: Arc<Group>) -> Self {
        Self {
            inner,
            parts: Some((classify, group)),
        }
    }
}

impl<F, C, E, Err> Future for ConnectFuture<F, C>
where
    F: Future<Output = Result<E, Err>>,
    E: Endpoint,
{
    type Output = Result<Checked<E, C>, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let endpoint = ready!(this.inner.poll(cx))?;
        let Some((classify, group)) = this.parts.take() else {
            // Polled after completion, which a future may answer as it likes.
            return Poll::Pending;
        };
        let judge = group.judge(endpoint.id());
        Poll::Ready(Ok(Checked::new(endpoint, classify, judge)))
    }
}

impl<F, C> fmt::Debug for ConnectFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}
