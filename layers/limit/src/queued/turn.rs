//! A service before which calls may have to wait for their turn.

use super::QueuedFuture;
use std::task::{Context, Poll};
use tower_service::Service;
use ziggurat_core::{BoxError, Deadline, Readiness};

/// A service before which calls may have to wait for their turn: for limits of one's own, that are kept
/// elsewhere.
///
/// What it says instead of being ready is told by the next call.
#[derive(Debug)]
pub struct Queued<S> {
    inner: S,
    readiness: Readiness,
}

/// When a call may be sent.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Turn<F> {
    /// Now; or not at all, and why.
    Now(Result<(), BoxError>),
    /// Once this is done, if it does not say why not; and the service is waited for until then.
    Later(F, Deadline),
}

// === impl Queued ===

impl<S> Queued<S> {
    /// The service that is called when it is a call's turn.
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            readiness: Readiness::new(),
        }
    }

    /// Waits for the service, and never fails: what it says instead is told by the next call.
    pub fn poll_ready<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>
    where
        S: Service<Req>,
        S::Error: Into<BoxError>,
    {
        self.readiness.poll(|| self.inner.poll_ready(cx))
    }

    /// A call that is sent when it is its `turn`, which nobody asks for while the service is not ready.
    pub fn call<Req, F>(
        &mut self,
        request: Req,
        turn: impl FnOnce(&Req) -> Turn<F>,
    ) -> QueuedFuture<S, Req>
    where
        S: Service<Req> + Clone,
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        if let Some(error) = self.readiness.take() {
            return QueuedFuture::failed(error);
        }
        match turn(&request) {
            Turn::Now(Ok(())) => QueuedFuture::sent(self.inner.call(request)),
            Turn::Now(Err(error)) => QueuedFuture::failed(error),
            Turn::Later(turn, latest) => {
                // What it has reserved is let go, so that who waits here holds nothing there.
                self.inner = self.inner.clone();
                QueuedFuture::waiting(self.inner.clone(), request, turn, latest)
            }
        }
    }
}

/// A clone was never asked whether it is ready.
impl<S: Clone> Clone for Queued<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}
