//! The body of an answer: the inner service's, or ours.

use crate::{Observer, protocol::Protocol, reply::Reply};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use ziggurat_core::{BoxError, contain};

pin_project! {
    /// The body of the inner service's answer, or the text of ours.
    ///
    /// When the inner body of a gRPC answer fails because of a rejection, its status follows in the
    /// trailers; any other failure is handed on, and cuts the answer off.
    pub struct Body<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Inner { #[pin] body: B, watch: Watch },
        Text { text: Bytes },
    }
}

/// How errors are answered, and who is told.
pub(crate) struct Watch {
    pub(crate) protocol: Protocol,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

// === impl Body ===

impl<B> Body<B> {
    pub(crate) const fn new(body: B, watch: Watch) -> Self {
        Self {
            state: State::Inner { body, watch },
        }
    }

    pub(crate) fn text(text: String) -> Self {
        let text = text.into();
        Self {
            state: State::Text { text },
        }
    }
}

/// The inner body's default, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        let watch = Watch {
            protocol: Protocol::Http,
            observer: None,
        };
        Self::new(B::default(), watch)
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.project().state;
        let (error, trailers) = match state.as_mut().project() {
            StateProj::Text { text } if text.is_empty() => return Poll::Ready(None),
            StateProj::Text { text } => {
                let text = std::mem::take(text);
                return Poll::Ready(Some(Ok(Frame::data(text))));
            }
            StateProj::Inner { body, watch } => match body.poll_frame(cx) {
                Poll::Ready(Some(Err(error))) => {
                    let error = error.into();
                    let trailers = watch.trailers(&*error);
                    (error, trailers)
                }
                polled => return polled.map_err(Into::into),
            },
        };
        // Whatever failed is over; what of it is still running is dropped here.
        let text = Bytes::new();
        state.set(State::Text { text });
        Poll::Ready(Some(match trailers {
            Some(trailers) => Ok(Frame::trailers(trailers)),
            None => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Inner { body, .. } => body.is_end_stream(),
            State::Text { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Inner { body, .. } => body.size_hint(),
            State::Text { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Inner { body, .. } => f.debug_tuple("Body").field(body).finish(),
            State::Text { text } => f.debug_tuple("Body").field(text).finish(),
        }
    }
}

// === impl Watch ===

impl Watch {
    /// What a peer may be told of `error`; tells of it here.
    pub(crate) fn reply<'e>(&self, error: &'e (dyn Error + 'static)) -> Option<Reply<'e>> {
        let reply = Reply::of(error);
        if reply.is_none() {
            tracing::error!(%error, "an error that no peer is told of");
        }
        if let Some(observer) = &self.observer {
            contain(|| match &reply {
                Some(reply) => observer.rejected(reply.code, error),
                None => observer.unexpected(error),
            });
        }
        reply
    }

    /// The trailers that end a stream because of `error`, where streams end with trailers.
    fn trailers(&self, error: &(dyn Error + 'static)) -> Option<http::HeaderMap> {
        let reply = self.reply(error)?;
        (self.protocol == Protocol::Grpc).then(|| reply.into_status())
    }
}
