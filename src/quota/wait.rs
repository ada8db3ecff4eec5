//! A call that waits for an answer of Redis.

use super::{
    limit::{Asking, Limit},
    script::Trouble,
};
use std::sync::Arc;
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
                Ok(_) => {}
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
}
