//! An instance that is kept registered, and what its owner can do with it.

use super::{
    Registry,
    keeper::{Keeper, Lot},
    limited,
};
use crate::coord::store::{LeaseId, StoreError};
use futures_core::future::BoxFuture;
use std::{future::IntoFuture, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::watch, task::JoinSet, time};
use ziggurat_core::Instance;

/// A registration to come: await it.
///
/// # Defaults
///
/// A lease of 30 s.
#[derive(Clone, Debug)]
#[must_use = "nothing is registered before this is awaited"]
pub struct Register {
    registry: Registry,
    instance: Instance,
    ttl: Duration,
}

/// An instance that is kept registered for as long as this lives.
///
/// Its lease is renewed every third of its time. If the lease is lost, or the entry deleted by
/// somebody else, the instance registers again, for ever, with jittered delays below a second.
///
/// Dropped, it is deregistered by the best effort that is possible without waiting: at once on the
/// embedded store, whether there is a runtime or not; on etcd by a task of the store, which says
/// goodbye and ends the lease. To be sure, [`deregister`](Self::deregister).
#[derive(Debug)]
pub struct Registration {
    lot: Arc<Lot>,
    status: watch::Receiver<Status>,
    task: JoinSet<()>,
}

/// How a registration stands, as far as this process can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistrationState {
    /// It is being registered for the first time, or its entry is being written anew.
    Registering,
    /// It can be found.
    Registered,
    /// Its lease ran out, or may have; it is being registered again.
    Lost,
}

/// What the keeper tells.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: RegistrationState,
    /// The latest version of the instance that was written; they count from 1.
    pub(super) written: u64,
    /// Why it will never be registered.
    pub(super) refused: Option<StoreError>,
}

/// A goodbye is a courtesy: the end of the lease must not wait longer for it.
const GOODBYE: Duration = Duration::from_secs(2);
/// The seeds' time to live; three renewals may fail before it is over.
const TTL: Duration = Duration::from_secs(30);

// === impl Register ===

impl Register {
    pub(super) const fn new(registry: Registry, instance: Instance) -> Self {
        Self {
            registry,
            instance,
            ttl: TTL,
        }
    }

    /// How long the instance stays registered after this process is gone.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    async fn run(self) -> Result<Registration, StoreError> {
        let runtime = Handle::try_current();
        let runtime = runtime.map_err(|error| StoreError::unavailable(error.to_string()))?;
        if self.ttl.is_zero() {
            return Err(StoreError::invalid("ttl", "0s", "must be above zero"));
        }
        let lot = Arc::new(Lot::new(&self.registry, &self.instance)?);
        let (tell, status) = watch::channel(Status {
            state: RegistrationState::Registering,
            written: 0,
            refused: None,
        });
        let keeper = Keeper::new(Arc::clone(&lot), self.ttl, self.registry.dice, tell);
        let mut task = JoinSet::new();
        // Renewals must go on whatever the owner awaits.
        task.spawn_on(keeper.run(), &runtime);
        let registration = Registration { lot, status, task };
        registration.written(1).await?;
        Ok(registration)
    }
}

impl IntoFuture for Register {
    type Output = Result<Registration, StoreError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

// === impl Registration ===

impl Registration {
    /// Registers the instance as it is now: with other metadata, zone, weight or address.
    ///
    /// Answers once it can be found so; through an outage it waits. Dropped before that, it is
    /// written all the same.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the service or the id is another one, or if it is too
    /// big; then the old one stays.
    pub async fn update(&self, instance: Instance) -> Result<(), StoreError> {
        let version = self.lot.want(&instance)?;
        self.written(version).await
    }

    /// Takes the instance out of the registry, and waits for it.
    ///
    /// It says goodbye first, if its [`KeyLayout`](super::KeyLayout) has a word for that: whoever
    /// follows the service lets go of it at once, even if it was the only one. To be served to the
    /// end, go on serving until the calls that it has are over.
    ///
    /// # Errors
    ///
    /// What the store answers; then the entry stays until the lease runs out.
    pub async fn deregister(mut self) -> Result<(), StoreError> {
        self.lot.close();
        // A write that is on its way must not come after the lease is gone.
        self.task.shutdown().await;
        for lease in self.lot.leases() {
            self.end(lease).await?;
        }
        self.lot.forget();
        Ok(())
    }

    async fn end(&self, lease: LeaseId) -> Result<(), StoreError> {
        if let Some(goodbye) = self.lot.goodbye(lease) {
            // In vain, it is one that vanished.
            let _said = time::timeout(GOODBYE, self.lot.store().txn(goodbye)).await;
        }
        match limited(self.lot.store().revoke(lease)).await {
            Ok(()) | Err(StoreError::LeaseNotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How it stands now.
    #[must_use]
    pub fn state(&self) -> RegistrationState {
        self.status.borrow().state
    }

    /// Waits until the lease is lost, or may be, by the clock of this process; at once if it is.
    ///
    /// Nothing needs to be done then: it is being registered again.
    pub async fn lost(&self) {
        self.reached(RegistrationState::Lost).await;
    }

    /// Waits until it can be found; at once if it can.
    pub async fn registered(&self) {
        self.reached(RegistrationState::Registered).await;
    }

    async fn reached(&self, state: RegistrationState) {
        let mut status = self.status.clone();
        // The keeper goes only with its runtime; then nothing is ever known again.
        let _gone = status.wait_for(|status| status.state == state).await;
    }

    async fn written(&self, version: u64) -> Result<(), StoreError> {
        let mut status = self.status.clone();
        let done = |status: &Status| status.written >= version || status.refused.is_some();
        let status = status.wait_for(done).await;
        let status = status.map_err(|error| StoreError::unavailable(error.to_string()))?;
        match &status.refused {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for lease in self.lot.close() {
            match self.lot.goodbye(lease) {
                Some(goodbye) => self.lot.store().abandon_with(goodbye, lease),
                None => self.lot.store().abandon(lease),
            }
        }
    }
}
