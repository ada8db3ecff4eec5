//! How the store is asked: bounded, and again after a while.

use super::store::StoreError;
use std::time::Duration;
use tokio::runtime::Handle;
use ziggurat_core::{Backoff, Dice};

/// No single question to the store may take longer: what hangs is as good as down.
pub(super) const TRY: Duration = Duration::from_secs(5);

/// Delays between tries of one thing, from its first failure on.
#[derive(Debug)]
pub(super) struct Patience {
    dice: Dice,
    failures: u32,
}

// === impl Patience ===

impl Patience {
    pub(super) fn new(dice: &Dice) -> Self {
        Self {
            dice: dice.clone(),
            failures: 0,
        }
    }

    /// Whether nothing has failed since the last success.
    pub(super) const fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// It went well: the next failure is a first one.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait.
    pub(super) fn delay(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        retry().delay(self.failures, &self.dice)
    }

    /// It failed: waits.
    pub(super) async fn wait(&mut self) {
        let delay = self.delay();
        tokio::time::sleep(delay).await;
    }
}

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
