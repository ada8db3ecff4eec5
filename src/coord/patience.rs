//! How long the store is waited for, and when it is asked again.

use super::store::StoreError;
use std::time::Duration;
use tokio::runtime::Handle;
use ziggurat_core::Backoff;

/// No single question to the store may take longer: what hangs is as good as down.
const TRY: Duration = Duration::from_secs(5);

/// How long to wait before the store is asked again: from 30 ms to 900 ms, so that whoever was lost
/// is back within a second of the store.
pub(super) fn retry() -> Backoff {
    let (initial, max) = (Duration::from_millis(60), Duration::from_millis(600));
    Backoff::new(initial, 2.0, max)
        .and_then(|backoff| backoff.jitter(0.5))
        .expect("these constants are in their bounds")
}

/// Bounds one question to the store.
pub(super) async fn limited<T>(
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    // No runtime, no timer; the embedded store needs neither.
    if Handle::try_current().is_err() {
        return question.await;
    }
    let late = |_| StoreError::unavailable("no answer in time");
    tokio::time::timeout(TRY, question).await.map_err(late)?
}
