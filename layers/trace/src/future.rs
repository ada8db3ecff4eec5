//! A call on its way.

use crate::{Body, local, served::Served, span::Watch};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    fmt,
    fmt::Display,
    pin::Pin,
    task::{Context, Poll},
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
    #[inline(always)]
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
        let polled = this.inner.poll(cx);
        drop((span, current));
        let (watch, served) = (this.watch, this.served);
        match polled {
            Poll::Pending => Poll::Pending,
            // The way of most calls: put together where it goes, and moved no more often.
            Poll::Ready(Ok(response)) if watch.is_none() && served.is_none() => {
                let (head, body) = response.into_parts();
                Poll::Ready(Ok(Response::from_parts(head, Body::plain(body))))
            }
            Poll::Ready(Ok(response)) => {
                Poll::Ready(Ok(answered(response, watch.take(), served.take())))
            }
            Poll::Ready(Err(error)) => {
                if let Some(watch) = watch.take() {
                    watch.failed(&error);
                }
                Poll::Ready(Err(error))
            }
        }
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

/// An answer that somebody looks at, or whose body is read in its request's context.
#[inline(never)]
fn answered<B: http_body::Body>(
    response: Response<B>,
    watch: Option<Box<Watch>>,
    served: Option<Box<Served>>,
) -> Response<Body<B>> {
    let mut response = match watch {
        None => response.map(Body::plain),
        Some(watch) => watch.response(response),
    };
    if let Some(served) = served {
        served.echo(response.headers_mut());
        response.body_mut().serve(served);
    }
    response
}
