//! How a plain value is sent once more, and what its result says about that.

use super::{Beginning, Judge, Repeat, Wanted};
use crate::{Failure, Settings};
use std::error::Error;
use ziggurat_core::{Attempt, BoxError, ByResult, Deadline, clock::Instant};

/// For plain values whose errors a predicate knows.
///
/// An error that was caused by a [`Rejection`](ziggurat_core::Rejection) is still what that says.
#[derive(Clone, Debug)]
pub struct ByPredicate<F> {
    predicate: F,
}

/// A value is made once more as its clone, and says nothing of attempts.
macro_rules! by_clone {
    () => {
        #[inline]
        fn prepare(
            &self,
            request: &mut Req,
            _: &Beginning<'_>,
            _: impl FnOnce() -> Attempt,
        ) -> Req {
            request.clone()
        }

        #[inline]
        fn first(&self, request: Req, _: &mut Req, _: &Beginning<'_>) -> Req {
            request
        }

        fn make(
            &self,
            kept: &mut Req,
            _: impl FnOnce() -> Attempt,
            _: Option<(Deadline, Instant)>,
        ) -> Req {
            kept.clone()
        }
    };
}

// === impl Repeat for plain values ===

impl<Req: Clone> Repeat<Req> for ByResult {
    type Request = Req;
    type Kept = Req;

    fn wanted(&self, request: &Req, settings: &Settings) -> Wanted {
        Wanted::of(self, request, settings.assume_idempotent)
    }

    by_clone!();
}

impl<Rsp> Judge<Rsp> for ByResult {
    fn judge(&self, result: &Result<Rsp, BoxError>) -> Option<Failure> {
        let error = result.as_ref().err()?;
        Some(Failure::from_error(&**error))
    }
}

// === impl ByPredicate ===

impl<F> ByPredicate<F> {
    pub(crate) const fn new(predicate: F) -> Self {
        Self { predicate }
    }

    pub(crate) fn matches<E: ?Sized>(&self, error: &E) -> bool
    where
        F: Fn(&E) -> bool,
    {
        (self.predicate)(error)
    }
}

impl<F: Clone, Req: Clone> Repeat<Req> for ByPredicate<F> {
    type Request = Req;
    type Kept = Req;

    fn wanted(&self, request: &Req, settings: &Settings) -> Wanted {
        ByResult.wanted(request, settings)
    }

    by_clone!();
}

impl<F, Rsp> Judge<Rsp> for ByPredicate<F>
where
    F: Fn(&(dyn Error + 'static)) -> bool,
{
    fn judge(&self, result: &Result<Rsp, BoxError>) -> Option<Failure> {
        let error = result.as_ref().err()?;
        Some(match Failure::from_error(&**error) {
            failure if !failure.is_lost() => failure,
            _ if (self.predicate)(&**error) => Failure::wanted(),
            _ => Failure::unwanted(),
        })
    }
}
