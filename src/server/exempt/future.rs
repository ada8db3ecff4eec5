//! The answer to a call, with limits or without.

use super::{Body, farewell::Farewell};
use futures_core::future::BoxFuture;
use http::Response;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower::{Service, util::Oneshot};
use ziggurat_core::BoxError;

pin_project! {
    /// The response of an [`Exempt`](super::Exempt).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        way: Way<F, S, Req>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<F, S, Req>
    where
        S: Service<Req>,
    {
        Limited { #[pin] future: F },
        Exempt { call: Pin<Box<Check<S, Req>>> },
    }
}

pin_project! {
    /// A health check on its way.
    pub(super) struct Check<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        future: Oneshot<S, Req>,
        // When the server closes, for a watch.
        closing: Option<BoxFuture<'static, ()>>,
    }
}

// === impl ResponseFuture ===

impl<F, S: Service<Req>, Req> ResponseFuture<F, S, Req> {
    pub(super) const fn limited(future: F) -> Self {
        let way = Way::Limited { future };
        Self { way }
    }

    /// Boxed, as such calls are few, and the others would carry the room for it.
    pub(super) fn exempt(future: Oneshot<S, Req>, closing: Option<BoxFuture<'static, ()>>) -> Self {
        let call = Box::pin(Check { future, closing });
        let way = Way::Exempt { call };
        Self { way }
    }
}

impl<F, S, Req, Limited, Plain, E> Future for ResponseFuture<F, S, Req>
where
    F: Future<Output = Result<Response<Limited>, E>>,
    E: Into<BoxError>,
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
            WayProj::Exempt { call } => {
                let call = call.as_mut().project();
                let response = ready!(call.future.poll(cx)).map_err(Into::into)?;
                Poll::Ready(Ok(match call.closing.take() {
                    None => response.map(Body::exempt),
                    Some(closing) => {
                        let farewell = Farewell::new(closing, response.headers());
                        response.map(|body| Body::watch(body, farewell))
                    }
                }))
            }
        }
    }
}

impl<F, S: Service<Req>, Req> fmt::Debug for ResponseFuture<F, S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
