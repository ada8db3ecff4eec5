//! How a call ends that does not reach the service.

use crate::{Body, Injected};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use ziggurat_core::{BoxError, Code, grpc};

/// How a call ends that does not reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort(End);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Code(Code),
    Status(StatusCode),
    Lost,
}

const MESSAGE: HeaderValue = HeaderValue::from_static("fault injected");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const PLAIN: (HeaderName, HeaderValue) = (
    CONTENT_TYPE,
    HeaderValue::from_static("text/plain; charset=utf-8"),
);

// === impl Abort ===

impl Abort {
    /// As if the server had answered with `code`: gRPC requests by a status and nothing else, others
    /// by the HTTP status that says the same.
    #[must_use]
    pub const fn with(code: Code) -> Self {
        Self(End::Code(code))
    }

    /// As if a proxy had answered with `status`, whatever was asked.
    #[must_use]
    pub const fn status(status: StatusCode) -> Self {
        Self(End::Status(status))
    }

    /// As if the connection had broken when the request was sent: nobody knows whether it was acted
    /// on.
    #[must_use]
    pub const fn lost() -> Self {
        Self(End::Lost)
    }

    /// What the caller of a request with these headers gets.
    pub(crate) fn end<B>(self, request: &Caller) -> Result<Response<Body<B>>, BoxError> {
        let (status, header) = match self.0 {
            End::Lost => return Err(Injected::new().into()),
            End::Status(status) => (status, PLAIN),
            End::Code(code) if !request.grpc => (code.to_http(), PLAIN),
            End::Code(code) => return Ok(trailers_only(code)),
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.headers_mut().insert(header.0, header.1);
        Ok(response)
    }
}

/// What is kept of a request to answer it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    grpc: bool,
}

// === impl Caller ===

impl Caller {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            grpc: grpc::dialect(headers).is_some(),
        }
    }
}

fn trailers_only<B>(code: Code) -> Response<Body<B>> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(grpc::STATUS, u16::from(code.number()).into());
    headers.insert(grpc::MESSAGE, MESSAGE);
    response
}
