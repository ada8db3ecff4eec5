//! What is expected of a store, said so that a failure tells what was asked of it.

use crate::coord::store::StoreError;
use std::fmt::{Debug, Display};

/// That this is so.
#[track_caller]
pub(super) fn that(is_so: bool, what: impl Display) {
    assert!(is_so, "expected that {what}");
}

/// That the store found what it must.
#[track_caller]
pub(super) fn equal<A, B>(what: impl Display, found: A, expected: B)
where
    A: Debug + PartialEq<B>,
    B: Debug,
{
    assert!(
        found == expected,
        "{what}: expected {expected:?}, found {found:?}"
    );
}

/// That there is an answer, and no error.
#[track_caller]
pub(super) fn answered<T, E: Debug>(what: impl Display, answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| panic!("{what}: expected an answer, found {error:?}"))
}

/// That the request is refused for what it says under `field`.
#[track_caller]
pub(super) fn invalid<T: Debug>(what: impl Display, field: &str, answer: Result<T, StoreError>) {
    let refused =
        matches!(&answer, Err(StoreError::InvalidArgument { field: at, .. }) if *at == field);
    assert!(
        refused,
        "{what}: expected an invalid argument `{field}`, found {answer:?}"
    );
}
