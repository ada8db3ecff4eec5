//! What the server does with a call.

use http::StatusCode;
use std::time::Duration;
use tonic::Code;

/// What an [`EchoServer`](super::EchoServer) does with a call. Seen by a layer of the server's, except where it says "on the wire".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Replies.
    #[default]
    Healthy,
    /// Fails at once: trailers-only, a status in the headers and no body.
    Fail(Code),
    /// Fails as [`Fail`](Self::Fail) does, with this text as `grpc-retry-pushback-ms`.
    PushBack(Code, String),
    /// Sends headers and the whole reply, and fails in the trailers.
    FailLate(Code),
    /// Replies after this time.
    Slow(Duration),
    /// Accepts the call and never answers.
    Stall,
    /// Sends headers and half of the first message, and never anything more.
    StallBody,
    /// Sends headers and half of the first message, then resets the stream (INTERNAL_ERROR).
    CutBody,
    /// Sends headers and the whole reply, and ends the stream without a `grpc-status`.
    MissingStatus,
    /// Answers as a proxy would, on the wire: this HTTP status with a `text/html` body.
    Html(StatusCode),
    /// Resets the stream with this HTTP/2 error code, on the wire: 7 is REFUSED_STREAM, 8 is CANCEL.
    Reset(u32),
    /// Cuts the connection, on the wire: every call on it sees a reset socket.
    CutConnection,
}
