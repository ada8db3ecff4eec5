//! What was expected, and what was seen.

use crate::BoxError;
use std::{fmt::Debug, time::Duration};
use tokio::time;

/// How long a step may take, on a cluster that elects a leader meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fails unless what was seen is what was expected.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Result<(), BoxError> {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, seen {seen:?}").into())
}

/// Fails unless this is so; `seen` says what is.
pub(crate) fn so(what: &str, is: bool, seen: impl Debug) -> Result<(), BoxError> {
    if is {
        return Ok(());
    }
    Err(format!("expected that {what}, seen {seen:?}").into())
}

/// Fails unless this ends in time.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> Result<F::Output, BoxError> {
    let ended = time::timeout(PATIENCE, future).await;
    ended.map_err(|_| format!("{what}: expected within {PATIENCE:?}, seen nothing").into())
}

/// Asks again and again until it is so.
pub(crate) async fn becomes<F>(what: &str, mut is: impl FnMut() -> F) -> Result<(), BoxError>
where
    F: Future<Output = Result<bool, BoxError>>,
{
    let asking = async {
        while !is().await? {
            time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    soon(what, asking).await?
}
