//! Services that do nothing, to put layers around, and what to ask them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};
use tower_service::Service;

/// What [`HttpNoop`] is asked.
pub type HttpRequest = Request<Full<Bytes>>;

/// What [`HttpNoop`] answers.
pub type HttpResponse = Response<Full<Bytes>>;

/// Answers at once with the request.
#[derive(Clone, Debug)]
pub struct Noop;

/// Answers as the service inside, but only when it is polled again.
#[derive(Clone, Debug)]
pub struct PendsOnce<S>(pub S);

/// Answers at once, as a gRPC server that says OK without a message.
#[derive(Clone, Debug)]
pub struct HttpNoop;

/// The answer of [`PendsOnce`].
#[derive(Debug)]
pub struct Twice<F> {
    inner: F,
    polled: bool,
}

/// A request that can be made over and over.
pub trait Sample: Send + 'static {
    /// Makes the next request; they are all alike.
    fn sample() -> Self;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

// === impl Noop ===

impl Service<u64> for Noop {
    type Response = u64;
    type Error = BoxError;
    type Future = Ready<Result<u64, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(request))
    }
}

// === impl PendsOnce ===

impl<S, Req> Service<Req> for PendsOnce<S>
where
    S: Service<Req, Future: Unpin>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Twice<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        Twice {
            inner: self.0.call(request),
            polled: false,
        }
    }
}

// === impl Twice ===

impl<F: Future + Unpin> Future for Twice<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.polled {
            return Pin::new(&mut self.inner).poll(cx);
        }
        self.polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// === impl HttpNoop ===

impl HttpNoop {
    /// What it answers, whatever it is asked.
    #[must_use]
    pub fn answer() -> HttpResponse {
        static ANSWER: LazyLock<HttpResponse> = LazyLock::new(|| {
            let mut answer = Response::new(Full::default());
            let headers = answer.headers_mut();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            headers.insert(
                HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            );
            answer
        });
        ANSWER.clone()
    }
}

impl<B> Service<Request<B>> for HttpNoop {
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Ready<Result<HttpResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Self::answer()))
    }
}

// === impl Sample ===

impl Sample for u64 {
    #[inline]
    fn sample() -> Self {
        7
    }
}

impl Sample for HttpRequest {
    /// Not a clone: a client's map of headers has room for some more, a clone of one has none.
    fn sample() -> Self {
        static REQUEST: LazyLock<(Uri, Bytes)> = LazyLock::new(|| {
            let uri = Uri::from_static("http://users/users.v1.Users/Get");
            (uri, Bytes::from_static(&[0; 64]))
        });
        let (uri, body) = &*REQUEST;
        let mut request = Self::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        request
    }
}
