//! The task behind a registration.
//!
//! ```text
//!   register: grant, put -------> hold: renew, rewrite what was deleted or updated
//!        ^                                  |
//!        +---- a jittered while ---- lease lost, or too late to know
//! ```

mod hold;

use self::hold::{Held, Holding};
use super::{
    Registry, limited,
    registration::{RegistrationState, Status},
    retry,
};
use crate::coord::store::{Compare, Keys, LeaseId, Put, Relation, Store, StoreError, Target, Txn};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time};
use ziggurat_core::{Dice, Instance, clock};

/// What owner and keeper of a registration share.
#[derive(Debug)]
pub(super) struct Lot {
    registry: Registry,
    key: String,
    /// What shall be written.
    wanted: watch::Sender<Wanted>,
    lease: Mutex<Slot>,
}

/// A version of the instance.
#[derive(Clone, Debug)]
struct Wanted {
    version: u64,
    value: Bytes,
    /// What is written instead when it leaves.
    goodbye: Option<Bytes>,
}

#[derive(Debug)]
struct Slot {
    lease: LeaseId,
    /// The one before, as long as the entry may still be its: the cluster may keep a lease longer
    /// than we believe in it.
    before: LeaseId,
    closed: bool,
}

/// Keeps a lot registered until it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    lot: Arc<Lot>,
    ttl: Duration,
    dice: Dice,
    status: watch::Sender<Status>,
}

// === impl Lot ===

impl Lot {
    pub(super) fn new(registry: &Registry, instance: &Instance) -> Result<Self, StoreError> {
        let wanted = Wanted {
            version: 1,
            value: registry.layout.write(instance)?,
            goodbye: registry.layout.write_goodbye(instance)?,
        };
        Ok(Self {
            registry: registry.clone(),
            key: registry.layout.key(instance)?,
            wanted: watch::Sender::new(wanted),
            lease: Mutex::new(Slot {
                lease: LeaseId::NONE,
                before: LeaseId::NONE,
                closed: false,
            }),
        })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.registry.store
    }

    /// Wants the instance to be like this, and answers the number of this version.
    pub(super) fn want(&self, instance: &Instance) -> Result<u64, StoreError> {
        let key = self.registry.layout.key(instance)?;
        if key != self.key {
            let rule = "must be the service and the id that were registered";
            return Err(StoreError::invalid("instance", key, rule));
        }
        let value = self.registry.layout.write(instance)?;
        let goodbye = self.registry.layout.write_goodbye(instance)?;
        let mut version = 0;
        self.wanted.send_modify(|wanted| {
            wanted.version += 1;
            wanted.value = value;
            wanted.goodbye = goodbye;
            version = wanted.version;
        });
        Ok(version)
    }

    /// Lets no lease in any more, and hands out those that are held.
    pub(super) fn close(&self) -> Vec<LeaseId> {
        self.lease.lock().closed = true;
        self.leases()
    }

    /// The leases that the entry may be of.
    pub(super) fn leases(&self) -> Vec<LeaseId> {
        let slot = self.lease.lock();
        let mut leases = vec![slot.before, slot.lease];
        leases.retain(|lease| lease.is_some());
        leases
    }

    /// They have been ended.
    pub(super) fn forget(&self) {
        let mut slot = self.lease.lock();
        (slot.before, slot.lease) = (LeaseId::NONE, LeaseId::NONE);
    }

    /// Holds this lease from now on; false if the owner is gone and nobody would end it.
    fn hold(&self, lease: LeaseId) -> bool {
        let mut slot = self.lease.lock();
        if slot.closed {
            return false;
        }
        // One that wrote nothing was ended by whoever asked for it.
        if !slot.before.is_some() {
            slot.before = slot.lease;
        }
        slot.lease = lease;
        true
    }

    /// The entry is of the lease that is held now.
    fn moved(&self) {
        self.lease.lock().before = LeaseId::NONE;
    }

    /// Says goodbye in place of the entry, if it is still this lease's.
    pub(super) fn goodbye(&self, lease: LeaseId) -> Option<Txn> {
        let value = self.wanted.borrow().goodbye.clone()?;
        let put = Put::new(self.key.clone(), value).lease(lease);
        let keys = Keys::one(self.key.clone());
        let ours = Compare::new(keys, Relation::Equal, Target::Lease(lease));
        Some(Txn::new().when([ours]).then([put]))
    }

    /// What shall be written now.
    fn put(&self, lease: LeaseId) -> (u64, Put) {
        let wanted = self.wanted.borrow();
        let put = Put::new(self.key.clone(), wanted.value.clone()).lease(lease);
        (wanted.version, put)
    }
}

// === impl Keeper ===

impl Keeper {
    pub(super) const fn new(
        lot: Arc<Lot>,
        ttl: Duration,
        dice: Dice,
        status: watch::Sender<Status>,
    ) -> Self {
        Self {
            lot,
            ttl,
            dice,
            status,
        }
    }

    /// Ends only if it is refused at once and for good, or if the owner is gone.
    pub(super) async fn run(self) {
        let mut failures = 0_u32;
        loop {
            match self.register().await {
                Ok(Some(held)) => {
                    failures = 0;
                    Holding::new(&self, held).run().await;
                    self.tell(RegistrationState::Lost);
                    tracing::warn!(key = self.lot.key, "registration lost, registering again");
                }
                Ok(None) => return,
                Err(error) => {
                    if self.refuse(&error) {
                        return;
                    }
                    if failures == 0 {
                        tracing::warn!(key = self.lot.key, %error, "not registered, trying on");
                    }
                }
            }
            failures = failures.saturating_add(1);
            time::sleep(retry().delay(failures, &self.dice)).await;
        }
    }

    /// Takes a lease and writes the entry with it; nothing if the owner is gone.
    async fn register(&self) -> Result<Option<Held>, StoreError> {
        let asked = clock::now();
        let lease = limited(self.lot.store().grant(self.ttl)).await?;
        if !self.lot.hold(lease.id) {
            self.lot.store().abandon(lease.id);
            return Ok(None);
        }
        match self.write(lease.id).await {
            Ok(revision) => Ok(Some(Held {
                lease: lease.id,
                ttl: lease.ttl,
                asked,
                revision,
            })),
            Err(error) => {
                self.lot.store().abandon(lease.id);
                Err(error)
            }
        }
    }

    /// Writes the entry as it is wanted now, and answers the revision that did.
    async fn write(&self, lease: LeaseId) -> Result<i64, StoreError> {
        let (version, put) = self.lot.put(lease);
        let written = limited(self.lot.store().put(put)).await?;
        self.lot.moved();
        self.status.send_modify(|status| {
            status.written = version;
            status.state = RegistrationState::Registered;
        });
        Ok(written.revision)
    }

    fn tell(&self, state: RegistrationState) {
        self.status.send_modify(|status| status.state = state);
    }

    /// Gives up on what was wrong from the beginning; what once was right is tried for ever.
    fn refuse(&self, error: &StoreError) -> bool {
        let first = self.status.borrow().written == 0;
        let refused = first && !error.is_transient() && !is_lease_lost(error);
        if refused {
            self.status
                .send_modify(|status| status.refused = Some(error.clone()));
        }
        refused
    }
}

fn is_lease_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::LeaseNotFound { .. })
}
