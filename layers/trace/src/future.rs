//! A call on its way.

use crate::{Body, local, served::Served, span::Watch};
use http::Response;
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
        watch: Option<Box<Watch>>,
        served: Option<Box<Served>>,
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(
        inner: F,
        watch: Option<Box<Watch>>,
        served: Option<Box<Served>>,
    ) -> Self {
        Self {
            inner,
            watch,
            served,
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

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let current = local::enter(Served::context(this.served));
        let span = this.watch.as_ref().map(|watch| watch.enter());
        let result = ready!(this.inner.poll(cx));
        drop((span, current));
        let watch = this.watch.take();
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                if let Some(watch) = watch {
                    watch.failed(&error);
                }
                return Poll::Ready(Err(error));
            }
        };
        let served = this.served.take();
        let mut response = match watch {
            None => response.map(Body::plain),
            Some(watch) => watch.response(response),
        };
        if let Some(served) = served {
            served.echo(response.headers_mut());
            response.body_mut().serve(served);
        }
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("watch", &self.watch)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
