//! What the handles of an endpoint share with the task that keeps its connection.

use crate::{
    error::{Cause, Crowded, Undelivered},
    link::Link,
    slots::{NoSlot, Slot},
    target::Target,
};
use http_body::Body;
use std::sync::Arc;
use tokio::sync::watch;
use ziggurat_core::{Availability, BoxError, EndpointId};

/// One endpoint, as its handles see it.
pub(crate) struct Shared<B> {
    pub(crate) id: EndpointId,
    pub(crate) weight: u32,
    pub(crate) availability: Availability,
    pub(crate) target: Target,
    pub(crate) phase: watch::Sender<Phase<B>>,
}

/// What can be done with a call now.
pub(crate) enum Phase<B> {
    /// Wait: a connection is being made.
    Connecting,
    /// Send it.
    Up(Arc<Link<B>>),
    /// Fail it, for this reason: nobody will try for a while.
    Down(Arc<str>, Cause),
}

// === impl Shared ===

impl<B: Body + 'static> Shared<B> {
    /// Waits for a connection after number `spent`, and for a stream on it.
    pub(crate) async fn admit(&self, mut spent: u64) -> Result<(Arc<Link<B>>, Slot), BoxError> {
        loop {
            let link = match self.up(spent) {
                Some(link) => link?,
                None => self.connected(spent).await?,
            };
            match link.slots.take().await {
                Ok(slot) => return Ok((link, slot)),
                Err(NoSlot::Crowded) => return Err(Crowded::new().into()),
                Err(NoSlot::Closed) => spent = link.number,
            }
        }
    }

    async fn connected(&self, spent: u64) -> Result<Arc<Link<B>>, Undelivered> {
        let mut phases = self.phase.subscribe();
        loop {
            phases.mark_unchanged();
            if let Some(link) = self.up(spent) {
                return link;
            }
            if phases.changed().await.is_err() {
                return Err(Undelivered::never("the endpoint is gone"));
            }
        }
    }

    /// `None`: not yet.
    fn up(&self, spent: u64) -> Option<Result<Arc<Link<B>>, Undelivered>> {
        match &*self.phase.borrow() {
            Phase::Up(link) if link.number > spent => Some(Ok(Arc::clone(link))),
            Phase::Up(_) | Phase::Connecting => None,
            Phase::Down(reason, cause) => {
                Some(Err(Undelivered::unconnected(reason, Arc::clone(cause))))
            }
        }
    }
}
