//! Instance ids: a small number of one's own, for as long as one lives.

mod acquire;
mod guard;
mod layout;

use self::acquire::Search;
use super::{
    name::check_part,
    session::check_ttl,
    store::{Store, StoreError},
};
use std::{ops::Range, sync::Arc, time::Duration};
use ziggurat_core::Dice;

pub use self::{guard::InstanceId, layout::IdLayout};

/// The numbers of a service.
///
/// A number is a key with a lease. Whoever dies gives its number back when the lease runs out, and
/// whoever may have lost its lease refuses to name a number before anybody else can have it.
///
/// | question | answer |
/// |---|---|
/// | Which number? | a free one of the range, by chance, so that many who come at once rarely collide |
/// | What does it cost? | three round trips, however many are taken, and one more for each collision |
/// | What if an answer is lost? | its own key is known again by its lease: no number goes out of use for longer than its owner lives |
/// | What if all are taken? | [`acquire`](InstanceIds::acquire) watches until one is free, [`try_acquire`](InstanceIds::try_acquire) says so |
/// | Who can give it back? | its owner only: giving back means ending the owner's own lease |
///
/// # Defaults
///
/// 1 to 1023, [`IdLayout::Allocators`], and leases of 30 s.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use ziggurat::coord::{InstanceIds, MemoryStore, TryIdError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ids = InstanceIds::new(Arc::new(MemoryStore::new()), "im-gateway")?.range(1..2)?;
/// let id = ids.acquire().await?;
/// assert_eq!(id.id()?, 1);
/// assert_eq!(id.key(), "/im-infra/allocators/im-gateway/ids/1");
///
/// assert!(matches!(ids.try_acquire().await, Err(TryIdError::Exhausted { .. })));
/// id.release().await?;
/// assert!(ids.try_acquire().await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct InstanceIds {
    store: Arc<dyn Store>,
    service: String,
    layout: IdLayout,
    range: Range<u16>,
    ttl: Duration,
    dice: Dice,
}

/// Why no number was had at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryIdError {
    /// All numbers of the range are taken.
    #[error("all instance ids of {range:?} are taken under `{prefix}`")]
    Exhausted {
        /// Where the numbers are kept.
        prefix: String,
        /// The numbers.
        range: Range<u16>,
    },
    /// The store could not be asked, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The seeds' time to live; two renewals may fail before it is over.
const TTL: Duration = Duration::from_secs(30);

// === impl InstanceIds ===

impl InstanceIds {
    /// The numbers of `service`, whose name has one part.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the name is none.
    pub fn new(store: Arc<dyn Store>, service: &str) -> Result<Self, StoreError> {
        check_part("service", service)?;
        Ok(Self {
            store,
            service: service.to_owned(),
            layout: IdLayout::default(),
            range: 1..1024,
            ttl: TTL,
            dice: Dice::new(),
        })
    }

    /// Hands out these numbers; the end is excluded.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if there are none.
    pub fn range(self, range: Range<u16>) -> Result<Self, StoreError> {
        if range.is_empty() {
            let value = format!("{range:?}");
            return Err(StoreError::invalid("range", value, "must not be empty"));
        }
        Ok(Self { range, ..self })
    }

    /// How long a number stays taken after its process is gone. A store may hold it longer: etcd
    /// counts whole seconds, and as usually set up grants two at least.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if it is not from 100 ms to 24 h.
    pub fn ttl(self, ttl: Duration) -> Result<Self, StoreError> {
        check_ttl(ttl)?;
        Ok(Self { ttl, ..self })
    }

    /// Speaks this layout of keys and values.
    #[must_use]
    pub fn layout(self, layout: IdLayout) -> Self {
        Self { layout, ..self }
    }

    /// Draws numbers and jitter from here.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        Self { dice, ..self }
    }

    /// Takes a number; if there is none, waits until there is.
    ///
    /// It waits for as long as it takes, through an outage of the store as well, so bound it by a
    /// timeout if you must. Dropped, it takes none.
    ///
    /// # Errors
    ///
    /// What the store refuses for good.
    pub async fn acquire(&self) -> Result<InstanceId, StoreError> {
        Search::new(self).wait().await
    }

    /// Takes a number if there is one.
    ///
    /// # Errors
    ///
    /// [`TryIdError::Exhausted`] if there is none, and what the store answers.
    pub async fn try_acquire(&self) -> Result<InstanceId, TryIdError> {
        let found = Search::new(self).once().await?;
        found.map_err(|_| TryIdError::Exhausted {
            prefix: self.prefix(),
            range: self.range.clone(),
        })
    }

    /// What the keys of all its numbers begin with.
    fn prefix(&self) -> String {
        self.layout.prefix(&self.service)
    }
}
