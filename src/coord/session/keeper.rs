//! The task that renews a session's lease.

use super::{Loss, Session, Tenure};
use crate::coord::{
    ask::{Patience, TRY},
    store::{Store, StoreError},
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
    store: Arc<dyn Store>,
    tenure: Tenure,
    dice: Dice,
    renew: Instant,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(session: &Session, asked: Instant, dice: Dice) -> Self {
        let tenure = session.tenure();
        let renew = next(asked, tenure.granted(), &dice);
        Self {
            store: Arc::clone(&session.store),
            tenure,
            dice,
            renew,
        }
    }

    pub(super) async fn run(mut self) {
        let mut patience = Patience::new(&self.dice);
        loop {
            time::sleep_until(self.renew.min(self.tenure.until())).await;
            let asked = clock::now();
            let until = self.tenure.until();
            if asked >= until {
                self.tenure.lose(Loss::Expired);
                return;
            }
            match self.ask(asked, until).await {
                Ok(ttl) => {
                    patience.reset();
                    self.tenure.extend(asked, ttl);
                    self.renew = next(asked, ttl, &self.dice);
                }
                Err(StoreError::LeaseNotFound { .. }) => {
                    self.tenure.lose(Loss::Revoked);
                    return;
                }
                Err(error) => {
                    if patience.is_fresh() {
                        let lease = self.tenure.lease();
                        tracing::warn!(?lease, %error, "lease not renewed, trying on");
                    }
                    let delay = patience.delay().min(self.tenure.granted() / 10);
                    self.renew = clock::now() + delay;
                }
            }
        }
    }

    /// Renews once, within a third of the time, so that a try that hangs leaves time for others.
    async fn ask(&self, asked: Instant, until: Instant) -> Result<Duration, StoreError> {
        let lease = self.tenure.lease();
        let limit = until.min(asked + TRY.min(self.tenure.granted() / 3));
        match time::timeout_at(limit, self.store.keep_alive(lease)).await {
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
        self.tenure.lose(Loss::Released);
    }
}

/// When to renew: at a third of the time, or up to a tenth of that earlier, so that those who came
/// together do not stay together.
fn next(asked: Instant, ttl: Duration, dice: &Dice) -> Instant {
    let third = ttl.min(super::MAX_TTL) / 3;
    asked + dice.duration(third - third / 10..third)
}
