//! Settings that live in the store: typed, watched, and changed by revision.
//!
//! | asked of it | answered by |
//! |---|---|
//! | read, write, delete, list | [`ConfigCenter`] |
//! | nobody's change is lost | [`ConfigCenter::compare_and_set`] |
//! | every change, with its revision | [`ConfigWatch`] |
//! | the value that is in force now | [`ConfigHandle`] |
//! | what a value looks like in the store | [`ConfigValue`] |
//! | where it stands in the store | [`ConfigLayout`] |

mod changes;
pub mod duration;
mod error;
mod handle;
mod layout;
mod value;
mod watch;

use self::{changes::Changes, layout::Keyspace};
use super::{
    ask::limited,
    follow::Follow,
    memory::MemoryStore,
    page,
    store::{Compare, Delete, KeyValue, Keys, OpResponse, Put, Range, Store, StoreError, Txn},
};
use std::sync::Arc;
use ziggurat_core::Dice;

pub(in crate::coord) use self::value::finish;
pub use self::{
    error::ConfigError,
    handle::{ConfigHandle, OpenHandle},
    layout::ConfigLayout,
    value::{ConfigValue, Json, ToConfig},
    watch::{ConfigEvent, ConfigWatch},
};

/// Settings by key, in a store; clones are the same center.
///
/// A key is a path like `dev/im-repo/db`; a slash in front changes nothing. Each call is bounded:
/// a store that does not answer within 5 s is [`StoreError::Unavailable`].
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use ziggurat::coord::{ConfigCenter, ConfigValue};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Rule {
///     rate: f64,
///     capacity: u32,
/// }
///
/// impl ConfigValue for Rule {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let center = ConfigCenter::memory();
/// let first = center.set("ratelimit/login", &Rule { rate: 5.0, capacity: 10 }).await?;
/// let Some(entry) = center.get::<Rule>("ratelimit/login").await? else { panic!("it is there") };
/// assert_eq!((entry.value.capacity, entry.revision), (10, first));
///
/// // Whoever knows an old revision changes nothing.
/// center.compare_and_set("ratelimit/login", first, &Rule { rate: 6.0, capacity: 10 }).await?;
/// let late = center.compare_and_set("ratelimit/login", first, &Rule { rate: 7.0, capacity: 10 });
/// assert!(late.await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Defaults
///
/// [`ConfigLayout::Native`], with keys under `/config/`.
#[derive(Clone, Debug)]
pub struct ConfigCenter {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
    dice: Dice,
}

/// A setting, and where it stands in the history of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry<T> {
    /// Its key, as [`ConfigCenter::list`] would show it.
    pub key: String,
    /// Its value.
    pub value: T,
    /// The revision that wrote it: its version.
    pub revision: i64,
}

// === impl ConfigCenter ===

impl ConfigCenter {
    /// The settings that this store holds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            keyspace: Keyspace::default(),
            dice: Dice::new(),
        }
    }

    /// No settings yet, in the memory of this process.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Arc::new(MemoryStore::new()))
    }

    /// Makes keys of the store in this way.
    #[must_use]
    pub fn layout(mut self, layout: ConfigLayout) -> Self {
        self.keyspace.layout = layout;
        self
    }

    /// Keeps its keys under this path of the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if it is empty or leaves its place; see
    /// [`get`](Self::get).
    pub fn prefix(mut self, prefix: &str) -> Result<Self, StoreError> {
        self.keyspace = self.keyspace.under(prefix)?;
        Ok(self)
    }

    /// Draws its jitter from here.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        Self { dice, ..self }
    }

    /// The setting under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] if what is there is no `T`, or is one that does not
    /// [validate](ConfigValue::validate); [`ConfigError::Store`] with
    /// [`StoreError::InvalidArgument`] if the key is empty, longer than 1,024 bytes, has a control
    /// character, or has a part that is empty, `.` or `..`; and what else the store answers.
    pub async fn get<T: ConfigValue>(
        &self,
        key: &str,
    ) -> Result<Option<ConfigEntry<T>>, ConfigError> {
        let range = Range::one(self.keyspace.key(key)?);
        let found = limited(self.store.range(range)).await?;
        found.kvs.first().map(|kv| self.read(kv)).transpose()
    }

    /// Writes a setting, whatever is there, and answers the revision that did.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] if the value does not [validate](ConfigValue::validate), cannot be
    /// written or is longer than 1 MiB; otherwise as [`get`](Self::get). After
    /// [`StoreError::Unavailable`] it may have been written all the same.
    pub async fn set<V: ToConfig + ?Sized>(
        &self,
        key: &str,
        value: &V,
    ) -> Result<i64, ConfigError> {
        let put = self.write(key, value)?;
        Ok(limited(self.store.put(put)).await?.revision)
    }

    /// Writes a setting if it is still the one that `revision` wrote, or, with 0, if there is none;
    /// answers the revision that did.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Conflict`], with the present revision, if it is not; otherwise as
    /// [`set`](Self::set).
    pub async fn compare_and_set<V: ToConfig + ?Sized>(
        &self,
        key: &str,
        revision: i64,
        value: &V,
    ) -> Result<i64, ConfigError> {
        if revision < 0 {
            let rule = "must be a revision, or 0 for a key that is absent";
            return Err(StoreError::invalid("revision", revision, rule).into());
        }
        let put = self.write(key, value)?;
        let stored = put.key.clone();
        let txn = Txn::new()
            .when([Compare::mod_revision(stored.clone(), revision)])
            .then([put])
            .otherwise([Range::one(stored).keys_only()]);
        let done = limited(self.store.txn(txn)).await?;
        if done.succeeded {
            return Ok(done.revision);
        }
        let current = match done.responses.first() {
            Some(OpResponse::Range(found)) => found.kvs.first().map_or(0, |kv| kv.mod_revision),
            other => return Err(StoreError::unexpected("a range", &other).into()),
        };
        Err(ConfigError::Conflict {
            key: key.to_owned(),
            expected: revision,
            current,
        })
    }

    /// Deletes a setting, and answers whether there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn delete(&self, key: &str) -> Result<bool, ConfigError> {
        let delete = Delete::one(self.keyspace.key(key)?);
        Ok(limited(self.store.delete(delete)).await?.deleted > 0)
    }

    /// The keys under `prefix`, sorted, each as [`get`](Self::get) takes it; with an empty one, all
    /// keys.
    ///
    /// A prefix ends at a slash, whether it is written or not: `ratelimit` and `ratelimit/` hold
    /// `ratelimit/login`, but never `ratelimit2/login`. What nobody could ask for (a key with an
    /// empty part, say) is left out.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, ConfigError> {
        let range = Range::prefix(self.keyspace.prefix(prefix)?).keys_only();
        let found = page::all(&*self.store, range).await?;
        let keys = found
            .kvs
            .iter()
            .filter_map(|kv| self.keyspace.name(&kv.key));
        Ok(keys.collect())
    }

    /// What happens to the setting under `key`: the one that is there first, then every change.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Store`] with [`StoreError::InvalidArgument`] if the key is refused; see
    /// [`get`](Self::get).
    pub fn watch<T: ConfigValue>(&self, key: &str) -> Result<ConfigWatch<T>, ConfigError> {
        let keys = Keys::one(self.keyspace.key(key)?);
        Ok(ConfigWatch::new(self.clone(), self.changes(keys)))
    }

    /// What happens to all settings under `prefix`, which ends at a slash as in
    /// [`list`](Self::list): those that are there first, then every change.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    pub fn watch_prefix<T: ConfigValue>(
        &self,
        prefix: &str,
    ) -> Result<ConfigWatch<T>, ConfigError> {
        let keys = Keys::prefix(self.keyspace.prefix(prefix)?);
        Ok(ConfigWatch::new(self.clone(), self.changes(keys)))
    }

    /// Follows the setting under `key`; awaited, it answers a handle that always holds the value in
    /// force.
    pub fn handle<T: ConfigValue>(&self, key: &str) -> OpenHandle<T> {
        OpenHandle::new(self.clone(), key.to_owned())
    }

    fn changes(&self, keys: Keys) -> Changes {
        let store = Arc::clone(&self.store);
        Changes::new(Follow::new(store, keys, self.dice.clone()))
    }

    /// What a key of the store holds.
    fn read<T: ConfigValue>(&self, kv: &KeyValue) -> Result<ConfigEntry<T>, ConfigError> {
        let name = self.keyspace.name(&kv.key);
        let key = name.unwrap_or_else(|| kv.key.escape_ascii().to_string());
        match value::read(&kv.value) {
            Ok(value) => Ok(ConfigEntry {
                key,
                value,
                revision: kv.mod_revision,
            }),
            Err(reason) => Err(ConfigError::invalid(
                key,
                kv.mod_revision,
                &kv.value,
                &*reason,
            )),
        }
    }

    fn write<V: ToConfig + ?Sized>(&self, key: &str, value: &V) -> Result<Put, ConfigError> {
        let stored = self.keyspace.key(key)?;
        match value::write(value) {
            Ok(value) => Ok(Put::new(stored, value)),
            Err(reason) => Err(ConfigError::invalid(key.to_owned(), 0, b"", &*reason)),
        }
    }
}
