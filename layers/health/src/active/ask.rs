//! The two ways to ask: one stream that tells of every change, and one question at a time.

use super::{Settings, message, message::Messages};
use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{CONTENT_TYPE, TE},
};
use std::{future::poll_fn, pin::Pin};
use tower_service::Service;
use ziggurat_core::{BoxError, Code, Deadline, grpc};

/// Asks one endpoint.
pub(super) struct Ask<E, F> {
    endpoint: E,
    body: F,
}

/// The answers to one question.
pub(super) struct Answers<A> {
    body: Pin<Box<A>>,
    messages: Messages,
}

/// Why there is no (other) answer.
#[derive(Debug)]
pub(super) enum End {
    /// The server does not know the method.
    Unimplemented,
    /// The server does not know the service.
    NotFound,
    /// Anything else.
    Broken(BoxError),
}

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const CHECK: &str = "/grpc.health.v1.Health/Check";

// === impl Ask ===

impl<E, F> Ask<E, F> {
    pub(super) const fn new(endpoint: E, body: F) -> Self {
        Self { endpoint, body }
    }
}

impl<E, F, B, A> Ask<E, F>
where
    E: Service<Request<B>, Response = Response<A>> + Clone,
    E::Error: Into<BoxError>,
    F: Fn(Bytes) -> B,
    A: http_body::Body,
    A::Data: Buf,
    A::Error: Into<BoxError>,
{
    /// Does it serve? And what it says of that from now on.
    pub(super) async fn watch(&self, settings: &Settings) -> Result<(bool, Answers<A>), End> {
        let first = async {
            let mut answers = self.send(WATCH, settings, None).await?;
            Ok((answers.next().await?, answers))
        };
        in_time(settings, first).await
    }

    /// Does it serve?
    pub(super) async fn check(&self, settings: &Settings) -> Result<bool, End> {
        let deadline = Some(Deadline::after(settings.timeout));
        let answer = async { self.send(CHECK, settings, deadline).await?.next().await };
        match in_time(settings, answer).await {
            Err(End::NotFound) => Ok(false),
            answer => answer,
        }
    }

    async fn send(
        &self,
        path: &'static str,
        settings: &Settings,
        deadline: Option<Deadline>,
    ) -> Result<Answers<A>, End> {
        let mut endpoint = self.endpoint.clone();
        let ready = poll_fn(|cx| endpoint.poll_ready(cx)).await;
        ready.map_err(|error| End::Broken(error.into()))?;
        let response = endpoint.call(self.request(path, settings, deadline)).await;
        let response = response.map_err(|error| End::Broken(error.into()))?;
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::OK => {}
            // What gRPC takes that for (`doc/http-grpc-status-mapping.md`).
            StatusCode::NOT_FOUND => return Err(End::Unimplemented),
            status => return Err(End::Broken(format!("HTTP status {status}").into())),
        }
        if head.headers.contains_key(grpc::STATUS) {
            return Err(End::of(&head.headers));
        }
        Ok(Answers {
            body: Box::pin(body),
            messages: Messages::default(),
        })
    }

    fn request(
        &self,
        path: &'static str,
        settings: &Settings,
        deadline: Option<Deadline>,
    ) -> Request<B> {
        let bytes = message::request(&settings.service);
        let mut request = Request::new((self.body)(bytes));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(path);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(deadline) = deadline {
            // Whatever connects tells the server of it.
            request.extensions_mut().insert(deadline);
        }
        request
    }
}

// === impl Answers ===

impl<A> Answers<A>
where
    A: http_body::Body,
    A::Data: Buf,
    A::Error: Into<BoxError>,
{
    /// Does it serve? Waits until it says so.
    pub(super) async fn next(&mut self) -> Result<bool, End> {
        loop {
            let whole = self.messages.next();
            if let Some(serving) = whole.map_err(|error| End::Broken(error.into()))? {
                return Ok(serving);
            }
            let frame = poll_fn(|cx| self.body.as_mut().poll_frame(cx)).await;
            let Some(frame) = frame else {
                return Err(End::Broken("cut off without a status".into()));
            };
            let frame = frame.map_err(|error| End::Broken(error.into()))?;
            match frame.into_data() {
                Ok(data) => self.messages.push(data),
                Err(frame) => {
                    return Err(End::of(frame.trailers_ref().unwrap_or(&HeaderMap::new())));
                }
            }
        }
    }
}

// === impl End ===

impl End {
    /// What these trailers say.
    fn of(trailers: &HeaderMap) -> Self {
        match grpc::status(trailers) {
            Some(Code::Unimplemented) => Self::Unimplemented,
            Some(Code::NotFound) => Self::NotFound,
            Some(code) => Self::Broken(format!("ended with {code}").into()),
            None => Self::Broken("ended without a status".into()),
        }
    }
}

async fn in_time<T>(
    settings: &Settings,
    answer: impl Future<Output = Result<T, End>>,
) -> Result<T, End> {
    let late = tokio::time::timeout(settings.timeout, answer).await;
    late.unwrap_or_else(|late| Err(End::Broken(late.into())))
}
