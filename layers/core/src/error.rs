//! Errors are found by walking, never by unwrapping.
//!
//! A layer that adds an error boxes it and hands inner errors on as they are, so the cause of a
//! failed call is somewhere down the `source()` chain of what the caller gets.

use crate::{Code, Rejection};
use std::error::Error;

/// Any error that may cross threads; what every layer that adds an error answers with.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Finds the first error of type `T`: `error` itself, or one that caused it.
///
/// ```
/// use ziggurat_core::{Code, Rejection, error};
///
/// let error = error::BoxError::from(Rejection::decided(Code::Unavailable, "circuit open"));
/// assert!(error::find::<Rejection>(&*error).is_some());
/// assert!(error::find::<std::io::Error>(&*error).is_none());
/// ```
#[must_use]
pub fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The gRPC status code that an error stands for, by the first cause that has one.
///
/// That is a [`Rejection`], or, with the feature `tonic`, a `tonic::Status` or the timeout of a tonic
/// channel.
#[must_use]
pub fn code(error: &(dyn Error + 'static)) -> Option<Code> {
    if let Some(rejection) = find::<Rejection>(error) {
        return Some(rejection.code());
    }
    #[cfg(feature = "tonic")]
    {
        if find::<tonic::TimeoutExpired>(error).is_some() {
            return Some(Code::DeadlineExceeded);
        }
        if let Some(status) = find::<tonic::Status>(error) {
            return Some(status.code().into());
        }
    }
    None
}
