//! Coordination: who is there, who may, and who is told, over one [`Store`].
//!
//! ```text
//!        Registry                Locks, Election, InstanceIds -> Snowflake
//!  register  list  resolve          a key that is held by a Session
//!      |      |      |                   |        |        |
//!   leases  range  watch              leases     txn     watch
//!      +------+------+-------------------+--------+--------+
//!          dyn Store       etcd's semantics: revisions, transactions, leases, watches
//!          |       |
//! MemoryStore     EtcdStore
//!  embedded        a cluster (feature `etcd`)
//! ```
//!
//! Everything above the store is written once, against the trait. The embedded [`MemoryStore`] is a
//! whole store, not a stub: what passes its tests runs the same way over a cluster.
//!
//! | question | answer |
//! |---|---|
//! | Who keeps an entry alive? | its [`Registration`]: a lease, renewed every third of its time |
//! | What if the lease is lost? | it registers again, for ever, with growing and jittered delays |
//! | What if the store is gone? | followers keep what they know, and catch up without a gap |
//! | What if all leases run out at once? | whoever is guarded holds on for 10 s, and knows it; a goodbye is heard at once |
//! | What if the store is restored from a backup? | it is noticed, and read anew |
//! | What does a follower cost? | one watch a name and process, however many follow |
//! | Who holds a lock, leads, has an id? | whose key was made first; it is told when it may be no more, before anybody else is |
//! | What ends with it? | what its [`run`](Session::run) works on, and in other tasks that of its [`Tenure`] |
//! | What if an entry is nonsense? | it is skipped, counted and logged; the others stand |
//! | Where do settings live? | in a [`ConfigCenter`]; a [`ConfigHandle`] holds the value in force |
//! | Where do they come from at the start? | a [`ConfigLoader`]: files, environment, center |
//!
//! # Example
//!
//! ```
//! use futures_util::StreamExt;
//! use ziggurat::coord::Registry;
//! use ziggurat_core::{Change, Instance, Resolve};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let registry = Registry::memory();
//! let registration = registry.register(Instance::new("echo", "echo-1", "127.0.0.1", 8080)?).await?;
//!
//! let mut changes = registry.resolve("echo");
//! let Some(Ok(Change::All(instances))) = changes.next().await else { panic!("no snapshot") };
//! assert_eq!(instances[0].authority(), "127.0.0.1:8080");
//!
//! registration.deregister().await?;
//! assert!(matches!(changes.next().await, Some(Ok(Change::Left(_)))));
//! # Ok(())
//! # }
//! ```

mod ask;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod election;
#[cfg(feature = "etcd")]
mod etcd;
mod follow;
mod hold;
mod instance_id;
mod loader;
mod lock;
mod memory;
mod name;
mod page;
mod queue;
mod registry;
mod session;
mod snowflake;
mod store;
#[cfg(feature = "uuid")]
mod uuid_v7;
mod wall_clock;

#[cfg(feature = "etcd")]
pub use self::etcd::{EtcdSettings, EtcdStore, EtcdTls, Secret};
#[cfg(feature = "uuid")]
pub use self::uuid_v7::UuidV7;
pub use self::{
    config::{
        ConfigCenter, ConfigEntry, ConfigError, ConfigEvent, ConfigHandle, ConfigLayout,
        ConfigValue, ConfigWatch, Json, OpenHandle, ToConfig, duration,
    },
    election::{Campaign, Election, Leader, Leadership},
    hold::{Hold, HoldError},
    instance_id::{IdLayout, InstanceId, InstanceIds, TryIdError},
    loader::{
        CenterSource, ConfigLoader, ConfigSource, EnvSource, FileSource, LoadError, SourceFuture,
        ValueSource,
    },
    lock::{Acquire, LockGuard, Locks, TryAcquire, TryLockError},
    memory::MemoryStore,
    registry::{KeyLayout, Register, Registration, RegistrationState, Registry},
    session::{Loss, Lost, Session, Tenure},
    snowflake::{Snowflake, SnowflakeError, SnowflakeParts},
    store::{
        Compare, Delete, DeleteResponse, Event, EventKind, KeyValue, Keys, Lease, LeaseId,
        LeaseStatus, Op, OpResponse, Put, PutResponse, Range, RangeResponse, Relation, SortBy,
        SortOrder, Store, StoreError, StoreFuture, Target, Txn, TxnResponse, Watch, WatchBatch,
        WatchError, WatchStream,
    },
    wall_clock::{SystemClock, WallClock},
};
/// What the registry says, guarded against sets that are suddenly empty: see [`Registry::watch`].
pub use ziggurat_discover::{Guard, Guarded, Heard, Stale};
