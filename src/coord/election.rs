//! Elections: one leader at a time, whom everybody can see, and whose work ends with its leadership.

mod campaign;
mod leadership;
mod observe;

use super::{
    ask::limited,
    name::check_path,
    queue::Queue,
    store::{KeyValue, LeaseId, Range, Store, StoreError},
};
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use std::sync::Arc;
use ziggurat_core::Dice;

pub use self::{campaign::Campaign, leadership::Leadership};

/// An election that a store holds; clones are the same one.
///
/// The keys are those of etcd's own election (`go.etcd.io/etcd/client/v3/concurrency`,
/// `etcdctl elect`): `/elections/<name>/<lease in hex>` with the candidate's value, led by whose key
/// was made first. So `etcdctl elect /elections/<name> <value>` takes part in the election `<name>`.
///
/// ```text
///   campaign --> (in line) --> leads: proclaim, run --> resign, or lost
///                                |
///   observe  <-------------------+  who leads, with its latest value; nobody
/// ```
///
/// Standing in line works as for [a lock](super::Locks), and so does losing one's place: the
/// leader's own key is read again before it says that it leads, and watched from then on.
///
/// # Defaults
///
/// Leases of 30 s.
///
/// # Example
///
/// ```
/// use futures_util::StreamExt;
/// use std::{sync::Arc, time::Duration};
/// use ziggurat::coord::{Election, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let election = Election::new(Arc::new(MemoryStore::new()), "scheduler")?;
/// let leadership = election.campaign("node-1").ttl(Duration::from_secs(15)).await?;
/// leadership.proclaim("node-1, version 2").await?;
///
/// let mut leaders = election.observe();
/// let leader = leaders.next().await.flatten().expect("somebody leads");
/// assert_eq!(leader.value, "node-1, version 2");
/// assert_eq!(leader.token, leadership.token());
///
/// // Dropped where it stands as soon as the leadership may be gone.
/// leadership.run(async { /* what only the leader does */ }).await?;
/// leadership.resign().await?;
/// assert_eq!(leaders.next().await, Some(None));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Election(Queue);

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// The key that it leads by.
    pub key: Bytes,
    /// What it last proclaimed, or campaigned with.
    pub value: Bytes,
    /// The fencing token: the revision that made the key, greater than that of every earlier leader.
    pub token: i64,
    /// The lease that it leads by.
    pub lease: LeaseId,
}

// === impl Election ===

impl Election {
    /// The election `name`, which may have several parts.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the name is none.
    pub fn new(store: Arc<dyn Store>, name: &str) -> Result<Self, StoreError> {
        check_path("name", name)?;
        Ok(Self(Queue {
            store,
            prefix: format!("/elections/{name}/"),
            dice: Dice::new(),
        }))
    }

    /// Draws its jitter from here.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.0.dice = dice;
        self
    }

    /// Stands for leader, with this value for others to see, until it is: await it.
    ///
    /// It waits for as long as it takes, through an outage of the store as well. Dropped, it stands
    /// no more, and holds nobody up: on the embedded store at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the time to live is none, and what the store refuses for
    /// good.
    pub fn campaign(&self, value: impl Into<Bytes>) -> Campaign {
        Campaign::new(self.0.clone(), value.into())
    }

    /// Who leads now, if anybody does.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn leader(&self) -> Result<Option<Leader>, StoreError> {
        let all = Range::prefix(self.0.prefix.clone());
        let found = limited(self.0.store.range(all)).await?;
        Ok(self.0.first(&found.kvs).map(Leader::from))
    }

    /// Who leads, as soon as that is known, and then whenever it changes, or what it proclaims does:
    /// each change in its order, none twice.
    ///
    /// It never ends. While the store is out of reach it is silent, and then tells what it missed;
    /// of what the store has forgotten meanwhile, the outcome. It is as slow as its reader, who finds
    /// by [`leader`](Self::leader) who leads now.
    #[must_use]
    pub fn observe(&self) -> BoxStream<'static, Option<Leader>> {
        observe::observe(self.0.clone()).boxed()
    }
}

// === impl Leader ===

impl From<KeyValue> for Leader {
    fn from(kv: KeyValue) -> Self {
        Self {
            key: kv.key,
            value: kv.value,
            token: kv.create_revision,
            lease: kv.lease,
        }
    }
}
