//! A scripted service of HTTP requests, whatever their body.

use crate::{BoxError, BoxFuture, ScriptBody, Step, lock, script::Cues};
use bytes::{Buf, Bytes, BytesMut};
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower_service::Service;

/// Answers each request with the next [`Step`], and remembers what it saw; clones play the same script. Always ready.
///
/// # Defaults
/// Request bodies are dropped unread: see [`reading_bodies`](Self::reading_bodies).
#[derive(Clone)]
pub struct HttpScript {
    state: Arc<Mutex<State>>,
    reads_bodies: bool,
}

struct State {
    cues: Cues<Seen, Response<ScriptBody>>,
    seen: Vec<Seen>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Where it went.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its extensions.
    pub extensions: Extensions,
    /// The bytes of its body; `None` while it is not read to its end, or never is.
    pub body: Option<Bytes>,
}

// === impl HttpScript ===

impl HttpScript {
    /// Plays `steps` in order; the last one is played again for every request after it.
    ///
    /// # Panics
    /// When there is no step.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = Step<Response<ScriptBody>>>) -> Self {
        Self::from_cues(Cues::queue(steps))
    }

    /// Asks `next` for each step, by the number of the request (from 0) and what is seen of it before its body.
    #[must_use]
    pub fn by(
        next: impl FnMut(usize, &Seen) -> Step<Response<ScriptBody>> + Send + 'static,
    ) -> Self {
        Self::from_cues(Cues::Ask(Box::new(next)))
    }

    /// Reads every request's body to its end before the step is played. A body that fails fails the call.
    #[must_use]
    pub const fn reading_bodies(mut self) -> Self {
        self.reads_bodies = true;
        self
    }

    /// How many requests arrived.
    #[must_use]
    pub fn calls(&self) -> usize {
        lock(&self.state).seen.len()
    }

    /// The requests that arrived, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state).seen.clone()
    }

    fn from_cues(cues: Cues<Seen, Response<ScriptBody>>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                cues,
                seen: Vec::new(),
            })),
            reads_bodies: false,
        }
    }
}

impl<B> Service<Request<B>> for HttpScript
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ScriptBody>;
    type Error = BoxError;
    type Future = BoxFuture<Result<Response<ScriptBody>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let seen = Seen {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            extensions: parts.extensions,
            body: None,
        };
        let (number, step) = {
            let mut state = lock(&self.state);
            let number = state.seen.len();
            let step = state.cues.next(number, &seen);
            state.seen.push(seen);
            (number, step)
        };
        if !self.reads_bodies {
            return Box::pin(step.play());
        }
        let state = Arc::clone(&self.state);
        Box::pin(async move {
            let bytes = read(body).await?;
            lock(&state).seen[number].body = Some(bytes);
            step.play().await
        })
    }
}

impl fmt::Debug for HttpScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpScript")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

async fn read<B>(body: B) -> Result<Bytes, BoxError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(mut data) = frame.map_err(Into::into)?.into_data() {
            bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
    Ok(bytes.freeze())
}
