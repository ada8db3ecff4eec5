//! Registrations on a store that says and keeps what no good store would.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time;
use ziggurat::coord::{
    Lease, LeaseId, LeaseStatus, MemoryStore, Range, RangeResponse, Registry, Store, StoreError,
    StoreFuture, Txn, TxnResponse, Watch, WatchStream,
};
use ziggurat_core::Instance;

const SECOND: Duration = Duration::from_secs(1);
const FOR_EVER: Duration = Duration::from_secs(i64::MAX as u64);

/// A store in memory that can be bent.
#[derive(Debug, Default)]
struct Bent {
    store: MemoryStore,
    /// It says that a lease which was renewed lasts for ever.
    boasts: AtomicBool,
    /// It takes no changes and no renewals.
    refuses: AtomicBool,
    /// It keeps every lease for a minute, whatever it says.
    lingers: bool,
}

impl Bent {
    fn refused(&self) -> Result<(), StoreError> {
        let refused = StoreError::Unavailable {
            reason: "refused".into(),
        };
        if self.refuses.load(Relaxed) {
            return Err(refused);
        }
        Ok(())
    }
}

impl Store for Bent {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.store.range(range)
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        Box::pin(async move {
            self.refused()?;
            self.store.txn(txn).await
        })
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        Box::pin(async move {
            let real = if self.lingers { 60 * SECOND } else { ttl };
            let Lease { id, .. } = self.store.grant(real).await?;
            Ok(Lease { id, ttl })
        })
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        Box::pin(async move {
            self.refused()?;
            let ttl = self.store.keep_alive(lease).await?;
            let boasts = self.boasts.load(Relaxed);
            Ok(if boasts { FOR_EVER } else { ttl })
        })
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.store.revoke(lease)
    }

    fn abandon(&self, lease: LeaseId) {
        self.store.abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.store.time_to_live(lease)
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        self.store.watch(watch)
    }
}

fn instance() -> Instance {
    Instance::new("echo", "a", "10.0.0.1", 80).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_said_to_last_for_ever_ends_no_registration() {
    let store = Arc::new(Bent::default());
    let registry = Registry::new(Arc::clone(&store) as _);
    let _registration = registry.register(instance()).await.unwrap();
    store.boasts.store(true, Relaxed);
    time::sleep(15 * SECOND).await;
    store.boasts.store(false, Relaxed);
    time::sleep(60 * SECOND).await;
    assert_eq!(registry.list("echo").await.unwrap(), [instance()]);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_between_two_leases_leaves_nothing() {
    for waits in [true, false] {
        let store = Arc::new(Bent {
            lingers: true,
            ..Bent::default()
        });
        let registry = Registry::new(Arc::clone(&store) as _);
        let registering = registry.register(instance()).ttl(3 * SECOND);
        let registration = registering.await.unwrap();
        store.refuses.store(true, Relaxed);
        registration.lost().await;
        // It has a lease again, and has written nothing with it.
        time::sleep(2 * SECOND).await;
        store.refuses.store(false, Relaxed);
        assert_eq!(registry.list("echo").await.unwrap().len(), 1);
        if waits {
            registration.deregister().await.unwrap();
        } else {
            drop(registration);
        }
        assert_eq!(registry.list("echo").await.unwrap(), []);
    }
}
