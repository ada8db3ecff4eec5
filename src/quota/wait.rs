//! A call that waits for an answer of Redis.
//!
//! What an answer brings is for whoever takes it first: a call that costs much can be overtaken by small
//! ones that come, or wake, before it, and asks again then. One whose time is up after it was answered is
//! limited; nobody was out of reach.

use super::{
    limit::{Asking, Limit},
    script::Trouble,
};
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat_core::{BoxError, clock::Instant};

/// A call that waits for an answer of Redis.
pub(crate) struct Wait {
    pub(super) limit: Arc<Limit>,
    pub(super) hash: u64,
    pub(super) name: Arc<str>,
    pub(super) cost: u32,
    pub(super) until: Instant,
    pub(super) asking: Asking,
}

// === impl Wait ===

impl Wait {
    /// Waits for the answer, and for others if somebody else was quicker.
    pub(crate) async fn done(mut self) -> Result<(), BoxError> {
        let mut overtaken = false;
        loop {
            let answered = self.asking.flight.wait_for(Option::is_some);
            let answer = match time::timeout_at(self.until, answered).await {
                Ok(Ok(answer)) => answer.unwrap_or(Err(Trouble::Down)),
                // Whoever should have asked gave up, or there was too much to ask.
                Ok(Err(_)) => Err(Trouble::Down),
                Err(_late) => Err(Trouble::Slow),
            };
            let limit = &self.limit;
            match answer {
                Ok(grant) if self.asking.alone && grant.granted > 0 => return Ok(()),
                Ok(grant) if self.asking.alone => return Err(limit.limited(grant.wait)),
                Ok(_) => overtaken = true,
                Err(Trouble::Slow) if overtaken => return Err(limit.limited(self.worth())),
                Err(_) => {
                    let name = || Arc::clone(&self.name);
                    return limit.decide(self.hash, name, self.asking.rate, self.cost);
                }
            }
            let name = || Arc::clone(&self.name);
            match limit.step(self.hash, self.cost, true, name) {
                Ok(answer) => return answer,
                Err(asking) => self.asking = asking,
            }
        }
    }

    /// The time in which the rate brings what it costs.
    fn worth(&self) -> Duration {
        let rate = self.asking.rate;
        rate.period().saturating_mul(self.cost) / rate.count()
    }
}

#[cfg(test)]
mod tests;
