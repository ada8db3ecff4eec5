//! Why a call was not answered, and how far it got.

use crate::Code;
use std::{borrow::Cow, error::Error, fmt, time::Duration};

/// Why a call was not answered: what the error of every layer has as its `source()`.
///
/// With the feature `tonic` its own `source()` is a `tonic::Status`, made when somebody asks, so
/// that generated clients see the code, the reason as the message, and the pushback: how long to
/// stay away, or never to try again if the call [was lost](Self::is_lost).
#[derive(Clone, Debug)]
pub struct Rejection {
    code: Code,
    reason: Cow<'static, str>,
    retry_after: Option<Duration>,
    sent: Sent,
    decision: bool,
    callers: bool,
    #[cfg(feature = "tonic")]
    status: std::sync::OnceLock<Box<tonic::Status>>,
}

/// How far a call got before it failed; it tells whether trying again can do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sent {
    /// It never left this process.
    Never,
    /// It may have left, but the server said that it did not look at it.
    Unprocessed,
    /// The server may have acted on it.
    Unknown,
}

// === impl Rejection ===

impl Rejection {
    /// A layer decided not to send the call. Sent [`Never`](Sent::Never); not to be tried again.
    pub fn decided(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code, reason.into(), Sent::Never, true)
    }

    /// The way to the server failed: UNAVAILABLE, and `sent` tells what may be tried again.
    pub fn undelivered(reason: impl Into<Cow<'static, str>>, sent: Sent) -> Self {
        Self::new(Code::Unavailable, reason.into(), sent, false)
    }

    const fn new(code: Code, reason: Cow<'static, str>, sent: Sent, decision: bool) -> Self {
        Self {
            code,
            reason,
            retry_after: None,
            sent,
            decision,
            callers: false,
            #[cfg(feature = "tonic")]
            status: std::sync::OnceLock::new(),
        }
    }

    /// There is no use in coming back before this long.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The call got this far.
    #[must_use]
    pub const fn with_sent(mut self, sent: Sent) -> Self {
        self.sent = sent;
        self
    }

    /// It is the caller's own doing, and says nothing about the service: to whoever records it, the call
    /// was [cancelled](crate::Outcome::Cancelled).
    #[must_use]
    pub const fn by_caller(mut self) -> Self {
        self.callers = true;
        self
    }

    /// Is it the caller's own doing?
    #[must_use]
    pub const fn is_by_caller(&self) -> bool {
        self.callers
    }

    /// The gRPC status code that says the same.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Why, in a few words for a person.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How long to stay away, if anybody knows.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// How far the call got.
    #[must_use]
    pub const fn sent(&self) -> Sent {
        self.sent
    }

    /// Did a layer decide this, as opposed to a connection that failed?
    ///
    /// What was decided here is not tried again here.
    #[must_use]
    pub const fn is_decision(&self) -> bool {
        self.decision
    }

    /// Did the connection fail when the server may already have acted?
    ///
    /// UNAVAILABLE alone says to a peer that anything may be tried again, so whoever answers one
    /// with this rejection adds a pushback of [never](crate::grpc::NEVER).
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        !self.decision && matches!(self.sent, Sent::Unknown)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Rejection {
    #[cfg(feature = "tonic")]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let status = self.status.get_or_init(|| Box::new(self.to_status()));
        Some(status.as_ref())
    }
}

#[cfg(feature = "tonic")]
const PUSHBACK: &str = "grpc-retry-pushback-ms";

#[cfg(feature = "tonic")]
impl Rejection {
    fn to_status(&self) -> tonic::Status {
        let mut status = tonic::Status::new(self.code.into(), self.reason());
        // A handler may hand this status on as its own answer, which loses its cause.
        let millis = match self.retry_after {
            _ if self.is_lost() => Some(-1),
            after => after.map(crate::grpc::pushback_millis),
        };
        if let Some(millis) = millis {
            status.metadata_mut().insert(PUSHBACK, millis.into());
        }
        status
    }
}

#[cfg(all(test, feature = "tonic"))]
mod tests {
    use super::*;
    use crate::error::{self, BoxError};

    #[derive(Debug)]
    struct Wrapped(BoxError);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn a_status_handed_on_invites_nobody_to_repeat_what_a_server_may_have_acted_on() {
        for (sent, pushback) in [
            (Sent::Never, Some("300")),
            (Sent::Unprocessed, Some("300")),
            (Sent::Unknown, Some("-1")),
        ] {
            let wait = Duration::from_millis(300);
            let lost = Rejection::undelivered("lost", sent).with_retry_after(wait);
            let status = tonic::Status::from_error(Box::new(lost));
            let answer = status.into_http::<()>();
            let told = answer.headers().get(PUSHBACK);
            assert_eq!(told.map(|value| value.to_str().unwrap()), pushback);
        }
        // DEADLINE_EXCEEDED invites nobody as it is.
        let late = Rejection::decided(Code::DeadlineExceeded, "late").with_sent(Sent::Unknown);
        let status = tonic::Status::from_error(Box::new(late));
        assert!(status.metadata().is_empty());
    }

    #[test]
    fn a_generated_client_sees_code_message_and_pushback_through_three_wrappers() {
        let mut error: BoxError = Rejection::decided(Code::ResourceExhausted, "too many")
            .with_retry_after(Duration::from_micros(300_001))
            .into();
        for _ in 0..4 {
            let status = tonic::Status::from_error(Box::new(Wrapped(error)));
            assert_eq!(status.code(), tonic::Code::ResourceExhausted);
            assert_eq!(status.message(), "too many");
            assert_eq!(
                status.metadata().get("grpc-retry-pushback-ms").unwrap(),
                "301"
            );
            assert!(error::find::<Rejection>(&status).is_some());
            error = Box::new(status);
        }
    }
}
