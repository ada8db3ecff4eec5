//! The answer to a call, with limits or without.

use super::Body;
use http::Response;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tower::{Service, util::Oneshot};
use ziggurat_core::BoxError;

pin_project! {
    /// The response of an [`Exempt`](super::Exempt).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<L, S, Req>
    where
        L: Service<Req>,
        S: Service<Req>,
    {
        #[pin]
        way: Way<L, S, Req>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<L, S, Req>
    where
        L: Service<Req>,
        S: Service<Req>,
    {
        Limited { #[pin] future: L::Future },
        Waits { future: Pin<Box<Oneshot<L, Req>>> },
        Exempt { future: Pin<Box<Oneshot<S, Req>>> },
        Failed { error: Option<BoxError> },
    }
}

// === impl ResponseFuture ===

impl<L: Service<Req>, S: Service<Req>, Req> ResponseFuture<L, S, Req> {
    pub(super) const fn limited(future: L::Future) -> Self {
        let way = Way::Limited { future };
        Self { way }
    }

    pub(super) const fn waits(future: Pin<Box<Oneshot<L, Req>>>) -> Self {
        let way = Way::Waits { future };
        Self { way }
    }

    pub(super) const fn failed(error: BoxError) -> Self {
        let way = Way::Failed { error: Some(error) };
        Self { way }
    }

    pub(super) const fn exempt(future: Pin<Box<Oneshot<S, Req>>>) -> Self {
        let way = Way::Exempt { future };
        Self { way }
    }
}

impl<L, S, Req, Limited, Plain> Future for ResponseFuture<L, S, Req>
where
    L: Service<Req, Response = Response<Limited>>,
    L::Error: Into<BoxError>,
    S: Service<Req, Response = Response<Plain>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<Limited, Plain>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Limited { future } => future.poll(cx).map(|result| match result {
                Ok(response) => Ok(response.map(Body::limited)),
                Err(error) => Err(error.into()),
            }),
            WayProj::Waits { future } => future.as_mut().poll(cx).map(|result| match result {
                Ok(response) => Ok(response.map(Body::limited)),
                Err(error) => Err(error.into()),
            }),
            WayProj::Exempt { future } => future.as_mut().poll(cx).map(|result| match result {
                Ok(response) => Ok(response.map(Body::exempt)),
                Err(error) => Err(error.into()),
            }),
            WayProj::Failed { error } => {
                let error = error.take();
                Poll::Ready(Err(error.expect("a future is not polled after it is done")))
            }
        }
    }
}

impl<L: Service<Req>, S: Service<Req>, Req> fmt::Debug for ResponseFuture<L, S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
