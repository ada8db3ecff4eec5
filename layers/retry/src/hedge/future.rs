//! The response of a call, whichever way it goes.

use super::{attempts::Attempts, start::Start};
use crate::{Judge, Repeat, future as retry};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`Hedge`](super::Hedge).
    ///
    /// Dropped, it drops all attempts that are under way; a hedge that was paid for and not yet made
    /// is paid back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        #[pin]
        way: Way<S, M, Req>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        Retrying { #[pin] future: retry::ResponseFuture<S, M, Req> },
        Hedging { #[pin] future: Attempts<S, M, Req> },
    }
}

// === impl ResponseFuture ===

impl<S, M, Req> ResponseFuture<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    #[inline]
    pub(super) const fn retrying(future: retry::ResponseFuture<S, M, Req>) -> Self {
        let way = Way::Retrying { future };
        Self { way }
    }

    #[inline]
    pub(super) fn hedging(first: Result<S::Future, BoxError>, start: Start<S, M, Req>) -> Self {
        let future = Attempts::new(first, start);
        let way = Way::Hedging { future };
        Self { way }
    }
}

impl<S, M, Req> Future for ResponseFuture<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Retrying { future } => future.poll(cx),
            WayProj::Hedging { future } => future.poll(cx),
        }
    }
}

impl<S, M, Req> fmt::Debug for ResponseFuture<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
