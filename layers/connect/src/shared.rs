//! What the handles of an endpoint share with the task that keeps its connection.

use crate::{
    error::{Cause, Crowded, Undelivered},
    group::{Group, Seat},
    slots::NoSlot,
    target::Target,
};
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use ziggurat_core::{Availability, BoxError, EndpointId};

/// One endpoint, as its handles see it.
pub(crate) struct Shared {
    pub(crate) id: EndpointId,
    pub(crate) weight: u32,
    pub(crate) availability: Availability,
    pub(crate) target: Target,
    pub(crate) phase: watch::Sender<Phase>,
    /// Wakes those who wait for a connection in the order in which they came, as `phase` would not.
    pub(crate) moved: Notify,
}

/// What can be done with a call now.
pub(crate) enum Phase {
    /// Say so: nobody has called for long.
    Idle,
    /// Wait: a connection is being made.
    Connecting,
    /// Send it.
    Up(Arc<Group>),
    /// Fail it, for this reason: nobody will try for a while.
    Down(Arc<str>, Cause),
}

// === impl Shared ===

impl Shared {
    /// What [`admit`](Self::admit) answers when there is nothing to wait for.
    pub(crate) fn admit_at_once(&self, spent: u64) -> Option<(Arc<Group>, Seat)> {
        let group = self.up(spent)?.ok()?;
        let seat = group.seat_at_once()?;
        Some((group, seat))
    }

    /// Waits for a group of connections after number `spent`, and for a stream of one of them.
    pub(crate) async fn admit(&self, mut spent: u64) -> Result<(Arc<Group>, Seat), BoxError> {
        loop {
            let group = match self.up(spent) {
                Some(group) => group?,
                None => self.connected(spent).await?,
            };
            match group.seat().await {
                Ok(seat) => return Ok((group, seat)),
                Err(NoSlot::Crowded) => return Err(Crowded::new().into()),
                Err(NoSlot::Closed) => spent = group.first.number,
            }
        }
    }

    /// Has whoever waits look at `phase`; answers the one before.
    pub(crate) fn publish(&self, phase: Phase) -> Phase {
        let before = self.phase.send_replace(phase);
        self.moved.notify_waiters();
        before
    }

    async fn connected(&self, spent: u64) -> Result<Arc<Group>, Undelivered> {
        loop {
            // Made before the look: it hears of every change after it.
            let moved = self.moved.notified();
            if let Some(group) = self.up(spent) {
                return group;
            }
            self.wake();
            moved.await;
        }
    }

    /// Has an endpoint connected that nobody has called for long.
    fn wake(&self) {
        self.phase.send_if_modified(|phase| {
            let idle = matches!(phase, Phase::Idle);
            if idle {
                *phase = Phase::Connecting;
            }
            idle
        });
    }

    /// `None`: not yet.
    fn up(&self, spent: u64) -> Option<Result<Arc<Group>, Undelivered>> {
        match &*self.phase.borrow() {
            Phase::Up(group) if group.first.number > spent => Some(Ok(Arc::clone(group))),
            Phase::Up(_) | Phase::Connecting | Phase::Idle => None,
            Phase::Down(reason, cause) => {
                Some(Err(Undelivered::unconnected(reason, Arc::clone(cause))))
            }
        }
    }
}
