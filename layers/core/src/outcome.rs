//! How a call ended.

use crate::Code;

/// How a call ended, as far as the health of whoever served it is concerned.
///
/// An outcome is about the service, not about the answer: `NOT_FOUND` is a success, because a
/// service that can say so is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The service answered.
    Success,
    /// The service failed, or its answer was cut off or makes no sense.
    Failure,
    /// The call's deadline ran out before its answer was complete. A failure, too.
    Timeout,
    /// The service is well but has no room: a reason to go elsewhere, not to open a circuit.
    Overload,
    /// The caller lost interest. It says nothing about the service.
    Cancelled,
}

// === impl Outcome ===

impl Outcome {
    /// Is this a failure of the service: [`Failure`](Self::Failure) or [`Timeout`](Self::Timeout)?
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Timeout)
    }

    /// Is this [`Success`](Self::Success)?
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }

    /// Does this say anything about the health of the service?
    ///
    /// False for [`Overload`](Self::Overload) and [`Cancelled`](Self::Cancelled).
    #[must_use]
    pub const fn counts(self) -> bool {
        self.is_success() || self.is_failure()
    }
}

impl From<Code> for Outcome {
    fn from(code: Code) -> Self {
        match code {
            Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss => Self::Failure,
            Code::DeadlineExceeded => Self::Timeout,
            Code::ResourceExhausted => Self::Overload,
            Code::Cancelled => Self::Cancelled,
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Self::Success,
        }
    }
}
