//! What went wrong with an attempt, as far as trying again is concerned.

use crate::Why;
use std::error::Error;
use ziggurat_core::{Code, Rejection, Sent, error, grpc::Pushback};

/// What went wrong with an attempt, as far as trying again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    pub(crate) pushback: Option<Pushback>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A layer decided it here.
    Decided,
    /// It never left this process.
    Unsent,
    /// The server did not look at it.
    Unprocessed,
    /// The server's whole answer is a status.
    Answered,
    /// Nobody knows how far it got.
    Lost,
    /// It took too long.
    TimedOut,
    /// Whoever knows such errors wants another try.
    Wanted,
}

// === impl Failure ===

impl Failure {
    /// The server's whole answer was this code: for any call, if the code is one to be tried again.
    #[must_use]
    pub const fn answered(code: Code) -> Self {
        Self::new(Kind::Answered, code)
    }

    /// The server may have acted on the call: only for calls that may be made twice.
    #[must_use]
    pub const fn lost(code: Code) -> Self {
        Self::new(Kind::Lost, code)
    }

    /// To be tried again, whatever the call and its code.
    #[must_use]
    pub const fn wanted() -> Self {
        Self::new(Kind::Wanted, Code::Unavailable)
    }

    /// What an error means: the [`Rejection`] that caused it says how far the call got; without
    /// one nobody knows, and the call was [lost](Self::lost), with the [code](error::code) of the
    /// error, or UNAVAILABLE if it has none.
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        let Some(rejection) = error::find::<Rejection>(error) else {
            return Self::lost(error::code(error).unwrap_or(Code::Unavailable));
        };
        let kind = match rejection.sent() {
            _ if rejection.is_decision() => Kind::Decided,
            Sent::Never => Kind::Unsent,
            Sent::Unprocessed => Kind::Unprocessed,
            _ => Kind::Lost,
        };
        let pushback = rejection.retry_after().map(Pushback::After);
        Self::new(kind, rejection.code()).pushback(pushback)
    }

    /// What the server said about trying again.
    #[must_use]
    pub const fn pushback(mut self, pushback: Option<Pushback>) -> Self {
        self.pushback = pushback;
        self
    }

    /// Not to be tried again, whatever the call.
    #[must_use]
    pub const fn unwanted() -> Self {
        Self::new(Kind::Decided, Code::Unknown)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.kind == Kind::Lost
    }

    /// Does the server want no other try?
    pub(crate) fn is_forbidden(&self) -> bool {
        self.pushback == Some(Pushback::Never)
    }

    pub(crate) const fn timed_out() -> Self {
        Self::new(Kind::TimedOut, Code::DeadlineExceeded)
    }

    pub(crate) const fn why(&self) -> Why {
        match self.kind {
            Kind::Unsent => Why::Unsent,
            Kind::Unprocessed => Why::Unprocessed,
            Kind::Answered => Why::Answered(self.code),
            Kind::Decided | Kind::Lost => Why::Lost(self.code),
            Kind::TimedOut => Why::TimedOut,
            Kind::Wanted => Why::Wanted,
        }
    }

    const fn new(kind: Kind, code: Code) -> Self {
        Self {
            kind,
            code,
            pushback: None,
        }
    }
}
