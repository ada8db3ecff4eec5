//! Whether an inner service is ready, and what it said instead.

use crate::{BoxError, Unready};
use std::task::{Poll, ready};

/// Waits for an inner service in the place of a layer that must not fail while it waits: what the service
/// says instead of being ready is remembered, and told by the next call.
///
/// A clone was never asked.
///
/// # Example
///
/// ```
/// use std::task::Poll;
/// use ziggurat_core::{BoxError, Code, Readiness, error};
///
/// let mut readiness = Readiness::new();
/// // In `poll_ready`:
/// let broken = || Poll::Ready(Err(BoxError::from("broken")));
/// assert!(matches!(readiness.poll(broken), Poll::Ready(Ok(()))));
/// // In `call`:
/// let error = readiness.take().expect("it failed");
/// assert_eq!(error::code(&*error), Some(Code::Unavailable));
/// assert!(readiness.take().is_none());
/// ```
#[derive(Debug, Default)]
pub struct Readiness {
    failed: Option<BoxError>,
}

// === impl Readiness ===

impl Readiness {
    /// Of a service that was not asked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { failed: None }
    }

    /// Waits for `ready`, and never fails. What failed is not asked again before it is told.
    #[inline]
    pub fn poll<E: Into<BoxError>>(
        &mut self,
        ready: impl FnOnce() -> Poll<Result<(), E>>,
    ) -> Poll<Result<(), BoxError>> {
        if self.failed.is_none()
            && let Err(error) = ready!(ready())
        {
            self.failed = Some(Unready::answer(error.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// What the service said instead of being ready, as the [answer](Unready::answer) of the call that comes
    /// now.
    #[inline]
    #[must_use = "whoever takes it tells it"]
    pub const fn take(&mut self) -> Option<BoxError> {
        self.failed.take()
    }
}

impl Clone for Readiness {
    fn clone(&self) -> Self {
        Self::new()
    }
}
