//! The task that renews a session's lease.

use super::{Loss, Shared};
use crate::coord::{
    ask::{Patience, TRY},
    store::StoreError,
};
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat_core::{
    Dice,
    clock::{self, Instant},
};

/// Renews until the lease is lost; dropped, it is.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    dice: Dice,
    renew: Instant,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, asked: Instant, dice: Dice) -> Self {
        let renew = next(asked, shared.granted(), &dice);
        Self {
            shared,
            dice,
            renew,
        }
    }

    pub(super) async fn run(mut self) {
        let mut patience = Patience::new(&self.dice);
        loop {
            time::sleep_until(self.renew.min(self.shared.until())).await;
            let asked = clock::now();
            let until = self.shared.until();
            if asked >= until {
                self.shared.lose(Loss::Expired);
                return;
            }
            match self.ask(asked, until).await {
                Ok(ttl) => {
                    patience.reset();
                    self.shared.extend(asked, ttl);
                    self.renew = next(asked, ttl, &self.dice);
                }
                Err(StoreError::LeaseNotFound { .. }) => {
                    self.shared.lose(Loss::Revoked);
                    return;
                }
                Err(error) => {
                    if patience.is_fresh() {
                        let lease = self.shared.lease();
                        tracing::warn!(?lease, %error, "lease not renewed, trying on");
                    }
                    let delay = patience.delay().min(self.shared.granted() / 10);
                    self.renew = clock::now() + delay;
                }
            }
        }
    }

    /// Renews once, within a third of the time, so that a try that hangs leaves time for others.
    async fn ask(&self, asked: Instant, until: Instant) -> Result<Duration, StoreError> {
        let lease = self.shared.lease();
        let limit = until.min(asked + TRY.min(self.shared.granted() / 3));
        match time::timeout_at(limit, self.shared.store().keep_alive(lease)).await {
            // What came after all is too late: its owner has been told.
            Ok(Ok(_)) if clock::now() >= until => Err(StoreError::unavailable("answered too late")),
            // Some stores say so instead of an error.
            Ok(Ok(Duration::ZERO)) => Err(StoreError::LeaseNotFound { lease }),
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unavailable("no answer in time")),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Nobody renews it any more, be it because the runtime is gone.
        self.shared.lose(Loss::Released);
    }
}

/// When to renew: at a third of the time, or up to a tenth of that earlier, so that those who came
/// together do not stay together.
fn next(asked: Instant, ttl: Duration, dice: &Dice) -> Instant {
    let third = ttl.min(super::MAX_TTL) / 3;
    asked + dice.duration(third - third / 10..third)
}
