//! The end of a health watch: NOT_SERVING, and then a status, once its server closes.
//!
//! Nobody else ends one, as whoever watches wants to hear of every change: it would be in flight until
//! the time to drain is over.

use crate::server::Lifecycle;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use std::{
    fmt,
    task::{Context, Poll, ready},
};
use ziggurat_core::{
    Code,
    grpc::{self, Dialect},
};

/// What a watch is told when its server closes.
pub(super) struct Farewell {
    step: Step,
    /// The client reads messages and trailers as gRPC has them.
    grpc: bool,
}

enum Step {
    Open(BoxFuture<'static, ()>),
    Told,
    Over,
}

/// `HealthCheckResponse { status: NOT_SERVING }`, after gRPC's prefix of a message (not compressed, two
/// bytes long).
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 0x08, 2];

// === impl Farewell ===

impl Farewell {
    /// Of a watch whose answer has these headers.
    pub(super) fn new(server: &Lifecycle, headers: &HeaderMap) -> Self {
        // The messages of gRPC-Web may be encoded once more.
        let grpc = grpc::dialect(headers) == Some(Dialect::Grpc);
        let step = Step::Open(Box::pin(server.closing()));
        Self { step, grpc }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.step, Step::Open(_))
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.step, Step::Over)
    }

    /// The next of its frames, once the server closes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let (frame, next) = match &mut self.step {
            Step::Open(closing) => {
                ready!(closing.as_mut().poll(cx));
                let not_serving = Frame::data(Bytes::from_static(NOT_SERVING));
                (Some(not_serving), Step::Told)
            }
            Step::Told => (Some(Frame::trailers(unavailable())), Step::Over),
            Step::Over => (None, Step::Over),
        };
        self.step = if self.grpc { next } else { Step::Over };
        Poll::Ready(frame.filter(|_| self.grpc))
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell")
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

/// Watchers that know of a better server go there, and others come back.
fn unavailable() -> HeaderMap {
    let code = HeaderValue::from(u32::from(Code::Unavailable.number()));
    let message = HeaderValue::from_static("the server stops");
    HeaderMap::from_iter([(grpc::STATUS, code), (grpc::MESSAGE, message)])
}
