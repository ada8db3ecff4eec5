//! What owner and tasks of a session share: until when it is held, and why no longer.

use super::{Loss, Lost, MAX_TTL};
use crate::coord::store::{Lease, LeaseId, Store};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use ziggurat_core::clock::{self, Instant};

#[derive(Debug)]
pub(super) struct Shared {
    store: Arc<dyn Store>,
    lease: Lease,
    begun: Instant,
    /// Until when it is held for certain, in nanoseconds since it was asked for; 0 once it is lost. An atomic,
    /// because ids are checked against it by the million.
    until: AtomicU64,
    loss: watch::Sender<Option<Loss>>,
}

// === impl Shared ===

impl Shared {
    /// A lease that was asked for at `asked`.
    pub(super) fn new(store: Arc<dyn Store>, lease: Lease, asked: Instant) -> Self {
        let shared = Self {
            store,
            lease,
            begun: asked,
            until: AtomicU64::new(1),
            loss: watch::Sender::new(None),
        };
        shared.extend(asked, lease.ttl);
        shared
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) const fn lease(&self) -> LeaseId {
        self.lease.id
    }

    pub(super) const fn granted(&self) -> Duration {
        self.lease.ttl
    }

    /// The store gave it `ttl`, some time after `asked`. What is lost stays lost.
    pub(super) fn extend(&self, asked: Instant, ttl: Duration) {
        let ttl = ttl.min(MAX_TTL);
        // A tenth for clocks that run differently, and for saying so before it is true.
        let until = asked + (ttl - ttl / 10);
        let until = u64::try_from((until - self.begun).as_nanos()).unwrap_or(u64::MAX);
        let extend = |held: u64| (held != 0).then_some(until);
        // Release pairs with the Acquire in `until`: whoever sees the time sees what came before.
        let _lost = self
            .until
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, extend);
    }

    /// Until when it is held for certain; a time gone by once it is lost.
    pub(super) fn until(&self) -> Instant {
        self.begun + Duration::from_nanos(self.until.load(Ordering::Acquire))
    }

    pub(super) fn left(&self) -> Duration {
        self.until().saturating_duration_since(clock::now())
    }

    pub(super) fn check(&self) -> Result<(), Lost> {
        if clock::now() < self.until() {
            return Ok(());
        }
        // The keeper may be late to say so.
        let loss = self.loss.borrow().unwrap_or(Loss::Expired);
        Err(Lost::new(self.lease(), loss))
    }

    /// It is lost, for this reason if for no earlier one.
    pub(super) fn lose(&self, loss: Loss) -> Lost {
        self.until.store(0, Ordering::Release);
        self.loss.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert(loss);
            first
        });
        let loss = self.loss.borrow().unwrap_or(loss);
        Lost::new(self.lease(), loss)
    }

    pub(super) fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        let (lease, mut loss) = (self.lease(), self.loss.subscribe());
        async move {
            let lost = loss.wait_for(Option::is_some).await;
            let loss = lost.ok().and_then(|loss| *loss);
            Lost::new(lease, loss.unwrap_or(Loss::Released))
        }
    }
}
