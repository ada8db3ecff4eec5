//! What an error of the client means: for the caller, for the member, and for trying again.

use crate::coord::store::StoreError;
use etcd_client::Error;
use std::io::{self, ErrorKind};
use ziggurat_core::{Code, error};

/// An error, understood.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    /// Whether the member is to blame, so that another one is asked next.
    pub(super) blame: bool,
    /// Whether the question was never looked at, so that it may be asked again whatever it is.
    pub(super) unseen: bool,
    /// Whether the user has to sign in again.
    pub(super) signed_out: bool,
}

/// Why, as far as it can be told without knowing the question.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    Compacted,
    FutureRevision,
    LeaseNotFound,
    Store(StoreError),
}

/// What etcd says, after "etcdserver: " (`api/v3rpc/rpctypes/error.go`).
const COMPACTED: &str = "mvcc: required revision has been compacted";
const FUTURE: &str = "mvcc: required revision is a future revision";
const LEASE_NOT_FOUND: &str = "requested lease not found";
const NO_LEADER: &str = "no leader";
const INVALID_TOKEN: &str = "invalid auth token";
const OLD_AUTH: &str = "revision of auth store is old";
const NOT_SIGNED_IN: &str = "user name is empty";
const WRONG_PASSWORD: &str = "authentication failed, invalid user ID or password";
const TRY_LATER: [&str; 2] = ["too many requests", "mvcc: database space exceeded"];
/// What etcd-client says itself when a lease cannot be kept alive.
const LEASE_IS_GONE: &str = "lease not found";

// === impl Fault ===

impl Fault {
    pub(super) fn new(error: &Error) -> Self {
        match error {
            Error::GRpcStatus(status) => {
                let code = u32::try_from(i32::from(status.code())).ok();
                let code = code.and_then(Code::from_number).unwrap_or(Code::Unknown);
                // etcd's own answers have no cause; what happened on the way here does.
                if std::error::Error::source(status).is_some() {
                    return Self::on_the_way(status);
                }
                Self::answer(code, status.message())
            }
            Error::LeaseKeepAliveError(reason) if reason == LEASE_IS_GONE => {
                Self::told(Cause::LeaseNotFound)
            }
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
                let reason = error.to_string();
                Self::store(StoreError::Unexpected { reason })
            }
            // Nothing has gone out when this is said: the endpoint could not be made.
            Error::TransportError(error) => {
                let reason = chain(error);
                let rule = "must be usable certificates and keys";
                Self::store(StoreError::invalid("tls", reason, rule))
            }
            other => Self::broken(other.to_string()),
        }
    }

    /// The member did not answer in time.
    pub(super) fn late() -> Self {
        Self::broken("no answer in time")
    }

    /// The member, or the way to it, is broken.
    pub(super) fn broken(reason: impl Into<String>) -> Self {
        Self {
            blame: true,
            ..Self::store(StoreError::unavailable(reason))
        }
    }

    /// What etcd said, by its code and its words.
    pub(super) fn answer(code: Code, message: &str) -> Self {
        let words = message.strip_prefix("etcdserver: ").unwrap_or(message);
        let denied = || {
            let reason = words.to_owned();
            Self::store(StoreError::Denied { reason })
        };
        match (code, words) {
            (_, COMPACTED) => Self::told(Cause::Compacted),
            (_, FUTURE) => Self::told(Cause::FutureRevision),
            (_, LEASE_NOT_FOUND) => Self::told(Cause::LeaseNotFound),
            (_, NO_LEADER) => Self {
                unseen: true,
                ..Self::broken(words)
            },
            (_, INVALID_TOKEN | OLD_AUTH | NOT_SIGNED_IN) => Self {
                signed_out: true,
                ..denied()
            },
            (Code::Unauthenticated, _) => Self {
                signed_out: true,
                ..denied()
            },
            (Code::PermissionDenied, _) => denied(),
            (_, WRONG_PASSWORD) => denied(),
            (_, it) if TRY_LATER.contains(&it) => Self::store(StoreError::unavailable(words)),
            (Code::InvalidArgument, _) => {
                let rule = "was refused by etcd";
                Self::store(StoreError::invalid("request", words, rule))
            }
            (
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Aborted
                | Code::Internal
                | Code::Unknown,
                _,
            ) => Self::broken(words),
            _ => {
                let reason = format!("{code}: {words}");
                Self::store(StoreError::Unexpected { reason })
            }
        }
    }

    /// What happened before etcd could say anything.
    fn on_the_way(error: &(dyn std::error::Error + 'static)) -> Self {
        let refused = |error: &io::Error| {
            use ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable};
            use ErrorKind::{NetworkUnreachable, NotFound};
            matches!(
                error.kind(),
                ConnectionRefused
                    | HostUnreachable
                    | NetworkUnreachable
                    | AddrNotAvailable
                    | NotFound
            )
        };
        Self {
            unseen: error::find::<io::Error>(error).is_some_and(refused),
            ..Self::broken(chain(error))
        }
    }

    const fn told(cause: Cause) -> Self {
        Self {
            cause,
            blame: false,
            unseen: false,
            signed_out: false,
        }
    }

    const fn store(error: StoreError) -> Self {
        Self::told(Cause::Store(error))
    }

    /// This happened before the question was asked. That it was refused is an answer all the same.
    pub(super) fn unseen(self) -> Self {
        let unseen = self.blame;
        Self { unseen, ..self }
    }

    /// Says which member this is about.
    pub(super) fn at(mut self, member: &str) -> Self {
        if let Cause::Store(StoreError::Unavailable { reason }) = &mut self.cause {
            *reason = format!("{member}: {reason}");
        }
        self
    }
}

// === impl Cause ===

impl From<StoreError> for Cause {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Cause {
    /// The error for a question that can have no other one.
    pub(super) fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            other => StoreError::unexpected("the question", &other),
        }
    }
}

/// An error with what caused it, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    // Of a status, its words; its `Display` repeats its code and its cause.
    let mut said = String::new();
    let mut next = error.source().or(Some(error));
    while let Some(error) = next {
        let words = error.to_string();
        if !said.ends_with(&words) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&words);
        }
        next = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Code, message: &str) -> Fault {
        Fault::answer(code, &format!("etcdserver: {message}"))
    }

    #[test]
    fn what_etcd_says_is_no_fault_of_the_member() {
        for (code, message) in [
            (Code::OutOfRange, COMPACTED),
            (Code::OutOfRange, FUTURE),
            (Code::NotFound, LEASE_NOT_FOUND),
            (Code::PermissionDenied, "permission denied"),
            (Code::Unauthenticated, INVALID_TOKEN),
            (Code::InvalidArgument, "duplicate key given in txn request"),
            (Code::ResourceExhausted, "too many requests"),
        ] {
            let fault = fault(code, message);
            assert!(!fault.blame && !fault.unseen, "{fault:?}");
        }
    }

    #[test]
    fn what_says_nothing_about_the_question_blames_the_member() {
        let late = fault(Code::Unavailable, "request timed out");
        assert!(late.blame && !late.unseen);
        let leaderless = fault(Code::Unavailable, NO_LEADER);
        assert!(leaderless.blame && leaderless.unseen);
    }

    #[test]
    fn a_token_that_is_not_known_any_more_asks_for_another() {
        assert!(fault(Code::Unauthenticated, INVALID_TOKEN).signed_out);
        assert!(fault(Code::InvalidArgument, OLD_AUTH).signed_out);
        let wrong = fault(Code::InvalidArgument, WRONG_PASSWORD);
        assert!(
            !wrong.signed_out && matches!(wrong.cause, Cause::Store(StoreError::Denied { .. }))
        );
    }
}
