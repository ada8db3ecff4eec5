//! A call on its way.

use crate::{Body, TraceContext, local, span::Watch, wire};
use http::{HeaderValue, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    fmt::Display,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// The response of a [`Trace`](crate::Trace).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        watch: Option<Watch>,
        scope: Option<Box<TraceContext>>,
        echo: Option<Box<HeaderValue>>,
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(
        inner: F,
        watch: Watch,
        scope: Option<Box<TraceContext>>,
        echo: Option<Box<HeaderValue>>,
    ) -> Self {
        Self {
            inner,
            watch: Some(watch),
            scope,
            echo,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body,
    E: Display + 'static,
{
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let watch = this
            .watch
            .as_ref()
            .expect("`ResponseFuture` polled after completion");
        let inner = this.inner;
        let result = ready!(local::within(this.scope.as_deref(), || {
            watch.span.in_scope(|| inner.poll(cx))
        }));
        let watch = this
            .watch
            .take()
            .expect("`ResponseFuture` polled after completion");
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                watch.failed(&error);
                return Poll::Ready(Err(error));
            }
        };
        let (mut response, span) = watch.response(response);
        if let Some(echo) = this.echo.take() {
            response.headers_mut().insert(wire::X_TRACE_ID, *echo);
        }
        let scope = this.scope.take();
        Poll::Ready(Ok(response.map(|body| Body::new(body, span, scope))))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("watch", &self.watch)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
