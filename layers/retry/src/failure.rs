//! What went wrong with an attempt, as far as trying again is concerned.

use crate::{Why, settings::Codes};
use std::error::Error;
use ziggurat_core::{BrokenRequest, Code, Rejection, Sent, error, grpc::Pushback};

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
    /// Whoever knows such errors wants no other try.
    Unwanted,
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
    /// error, or UNAVAILABLE if it has none. A [`BrokenRequest`] cannot be made again.
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        if error::find::<BrokenRequest>(error).is_some() {
            return Self::unwanted();
        }
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
        Self::new(Kind::Unwanted, Code::Unknown)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.kind == Kind::Lost
    }

    /// May the server have acted on the call all the same?
    pub(crate) const fn may_have_acted(&self) -> bool {
        matches!(self.kind, Kind::Lost | Kind::TimedOut)
    }

    /// Could the next attempt fare better, if these are the codes of which that can be said?
    pub(crate) fn is_passing(&self, codes: Codes) -> bool {
        let listed = codes.contains(self.code);
        match self.kind {
            Kind::Decided | Kind::Unsent | Kind::Unwanted => false,
            Kind::Unprocessed | Kind::Lost => listed,
            Kind::Answered => {
                let invited = self.code == Code::ResourceExhausted && self.pushback.is_some();
                listed || invited
            }
            Kind::TimedOut | Kind::Wanted => true,
        }
    }

    /// Did a layer decide it here?
    pub(crate) fn is_decided(&self) -> bool {
        self.kind == Kind::Decided
    }

    /// Has it never left this process?
    pub(crate) fn is_local(&self) -> bool {
        self.is_decided() || self.kind == Kind::Unsent
    }

    /// Did a server say it?
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(self.kind, Kind::Answered | Kind::Wanted | Kind::Unwanted)
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
            Kind::Decided | Kind::Lost | Kind::Unwanted => Why::Lost(self.code),
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
