//! A call on its way.

use crate::{Body, Observer, body::Watch, protocol::Protocol, reply::Reply};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use ziggurat_core::BoxError;

pin_project! {
    /// The response of an [`Answer`](crate::Answer).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        protocol: Protocol,
        observer: Option<Arc<dyn Observer>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Failed { error: Option<BoxError> },
        Sent { #[pin] future: F },
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(crate) const fn failed(
        error: BoxError,
        protocol: Protocol,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let error = Some(error);
        Self {
            state: State::Failed { error },
            protocol,
            observer,
        }
    }

    pub(crate) const fn sent(
        future: F,
        protocol: Protocol,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self {
            state: State::Sent { future },
            protocol,
            observer,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<Body<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.state.project() {
            StateProj::Sent { future } => ready!(future.poll(cx)).map_err(Into::into),
            StateProj::Failed { error } => Err(error
                .take()
                .expect("`ResponseFuture` polled after completion")),
        };
        let watch = Watch {
            protocol: *this.protocol,
            observer: this.observer.take(),
        };
        Poll::Ready(Ok(match result {
            Ok(response) => response.map(|body| Body::new(body, watch)),
            Err(error) => {
                let reply = watch.reply(&*error).unwrap_or_else(Reply::internal);
                reply.into_response(*this.protocol)
            }
        }))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
