//! One answer of a scripted service.

use crate::{BoxError, ScriptBody};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use std::{error::Error, fmt, future::pending, sync::Arc, time::Duration};
use tonic::Code;

/// What a scripted service does with one call: answers, fails or hangs, at once or [`after`](Self::after) a time.
#[derive(Clone)]
pub struct Step<Rsp> {
    delay: Duration,
    end: End<Rsp>,
}

#[derive(Clone)]
enum End<Rsp> {
    Answer(Rsp),
    Fail(Arc<dyn Fn() -> BoxError + Send + Sync>),
    Never,
}

/// The error of a step that names none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripted {
    message: Arc<str>,
}

// === impl Step ===

impl<Rsp> Step<Rsp> {
    /// Answers with this value.
    pub const fn answer(response: Rsp) -> Self {
        Self::now(End::Answer(response))
    }

    /// Fails with a copy of this error, found again by `downcast_ref` on the boxed one.
    pub fn fail<E>(error: E) -> Self
    where
        E: Error + Clone + Send + Sync + 'static,
    {
        Self::now(End::Fail(Arc::new(move || Box::new(error.clone()))))
    }

    /// Fails with a [`Scripted`] error of this text.
    #[must_use]
    pub fn fail_with(message: &str) -> Self {
        Self::fail(Scripted {
            message: message.into(),
        })
    }

    /// Never answers.
    #[must_use]
    pub const fn never() -> Self {
        Self::now(End::Never)
    }

    /// Waits so long on tokio's clock before it does what it does.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) async fn play(self) -> Result<Rsp, BoxError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.end {
            End::Answer(response) => Ok(response),
            End::Fail(error) => Err(error()),
            End::Never => pending().await,
        }
    }

    const fn now(end: End<Rsp>) -> Self {
        Self {
            delay: Duration::ZERO,
            end,
        }
    }
}

/// Answers of HTTP and gRPC servers, and of proxies before them.
impl Step<Response<ScriptBody>> {
    /// A gRPC reply of one message, with status 0 in the trailers.
    #[must_use]
    pub fn grpc(message: impl Into<Bytes>) -> Self {
        Self::headers_then_status(Code::Ok, message)
    }

    /// A gRPC status in the headers, and no body.
    #[must_use]
    pub fn trailers_only(code: Code) -> Self {
        let mut response = grpc_response(ScriptBody::default());
        *response.headers_mut() = status_map(code);
        insert_content_type(&mut response, "application/grpc");
        Self::answer(response)
    }

    /// A gRPC reply of one message, whose status in the trailers may well be a failure.
    #[must_use]
    pub fn headers_then_status(code: Code, message: impl Into<Bytes>) -> Self {
        let body = ScriptBody::default()
            .message(message)
            .trailers(status_map(code));
        Self::answer(grpc_response(body))
    }

    /// A gRPC reply of one message that ends without a status.
    #[must_use]
    pub fn missing_status(message: impl Into<Bytes>) -> Self {
        Self::answer(grpc_response(ScriptBody::default().message(message)))
    }

    /// A gRPC reply of one message whose body then fails.
    #[must_use]
    pub fn cut_off(message: impl Into<Bytes>) -> Self {
        Self::answer(grpc_response(ScriptBody::default().message(message).cut()))
    }

    /// Headers of a gRPC reply, and nothing more.
    #[must_use]
    pub fn hanging_body() -> Self {
        Self::answer(grpc_response(ScriptBody::default().hang()))
    }

    /// What a proxy says: this HTTP status with a `text/html` body.
    #[must_use]
    pub fn html(status: StatusCode) -> Self {
        let page = format!("<html><body>{status}</body></html>");
        let mut response = Response::new(ScriptBody::default().data(page));
        *response.status_mut() = status;
        insert_content_type(&mut response, "text/html");
        Self::answer(response)
    }

    /// An answer with this HTTP status and an empty body.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        let mut response = Response::new(ScriptBody::default());
        *response.status_mut() = status;
        Self::answer(response)
    }

    /// Adds a header to the answer: `Step::trailers_only(..).header("grpc-retry-pushback-ms", "500")`.
    ///
    /// # Panics
    /// When this is no header, or the step answers nothing.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let End::Answer(response) = &mut self.end else {
            panic!("{name} is a header of no answer");
        };
        let value = HeaderValue::from_str(value).expect("a test writes a header value");
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
        self
    }
}

impl<Rsp: fmt::Debug> fmt::Debug for Step<Rsp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Step");
        debug.field("delay", &self.delay);
        match &self.end {
            End::Answer(response) => debug.field("answer", response),
            End::Fail(error) => debug.field("fail", &error()),
            End::Never => debug.field("never", &true),
        };
        debug.finish()
    }
}

// === impl Scripted ===

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Scripted {}

fn grpc_response(body: ScriptBody) -> Response<ScriptBody> {
    let mut response = Response::new(body);
    insert_content_type(&mut response, "application/grpc");
    response
}

fn insert_content_type<B>(response: &mut Response<B>, kind: &'static str) {
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
}

fn status_map(code: Code) -> HeaderMap {
    let code = HeaderValue::from(i32::from(code));
    HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), code)])
}
