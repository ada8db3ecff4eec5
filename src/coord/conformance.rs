//! What every [`Store`] must do, for the tests of a store that is not ours (feature `conformance`).
//!
//! Three things, all written against the trait alone:
//!
//! - [`CASES`]: one named sentence each, played on a store of its own;
//!   [`store_conformance!`](crate::store_conformance) makes a test of each.
//! - [`Scripts`]: random scripts, played by the store and by a model of it that is slow and obvious.
//!   They print their seeds, and `ZIGGURAT_SEED` plays one again.
//! - [`Watched`], which counts what is asked of a store, for tests of what stands above it.
//!
//! Everything here panics where a store does not do what it must, and says what was expected. The
//! leases of the cases last whole seconds, so that a store that is a cluster passes as well; where
//! the store's clock is tokio's, a paused one makes that seconds of nothing.
//!
//! # Example
//!
//! A third store, and its tests: here a wrapper around one that there is.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use ziggurat::coord::{
//!     Lease, LeaseId, LeaseStatus, MemoryStore, Range, RangeResponse, Store, StoreFuture, Txn,
//!     TxnResponse, Watch, WatchStream,
//!     conformance::{CASES, Scripts},
//! };
//!
//! #[derive(Debug, Default)]
//! struct Mine(MemoryStore);
//!
//! impl Store for Mine {
//!     fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
//!         self.0.range(range)
//!     }
//!     fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
//!         self.0.txn(txn)
//!     }
//!     fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
//!         self.0.grant(ttl)
//!     }
//!     fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
//!         self.0.keep_alive(lease)
//!     }
//!     fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
//!         self.0.revoke(lease)
//!     }
//!     fn abandon(&self, lease: LeaseId) {
//!         self.0.abandon(lease)
//!     }
//!     fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
//!         self.0.time_to_live(lease)
//!     }
//!     fn watch(&self, watch: Watch) -> WatchStream {
//!         self.0.watch(watch)
//!     }
//! }
//!
//! // In a file of tests: one test for each case.
//! ziggurat::store_conformance! {
//!     #[tokio::test(start_paused = true)]
//!     |case| case.run(Arc::new(Mine::default())).await
//! }
//!
//! // And the random scripts, in one more; here they are played on the spot.
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! Scripts::new(1).count(10).exact().play(&Mine::default()).await;
//! # for case in CASES { case.run(Arc::new(Mine::default())).await }
//! # }
//! ```

mod cases;
mod chance;
mod expect;
mod list;
mod model;
mod probe;
mod script;
mod scripts;
mod watched;

pub use self::{scripts::Scripts, watched::Watched};

use super::store::Store;
use futures_core::future::BoxFuture;
use std::{fmt, sync::Arc};

/// One thing that every store must do.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    run: fn(Arc<dyn Store>) -> BoxFuture<'static, ()>,
}

/// All cases.
pub const CASES: &[Case] = crate::store_conformance!(@with cases);

// === impl Case ===

impl Case {
    /// The case of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let found = CASES.iter().find(|case| case.name == name);
        *found.unwrap_or_else(|| panic!("there is no case named {name}"))
    }

    /// The sentence that it proves, as the name of a test.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Plays it on this store, which may hold other keys, as long as nobody else changes it.
    ///
    /// # Panics
    ///
    /// If the store does something else than it must.
    pub async fn run(&self, store: Arc<dyn Store>) {
        (self.run)(store).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}
