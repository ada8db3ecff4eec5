//! The task behind a handle: puts in force what is good, and remembers what is not.

use super::{Lot, Status};
use crate::coord::{
    config::{
        ConfigCenter, ConfigEntry, ConfigError, ConfigValue,
        changes::{Change, Changes},
    },
    store::KeyValue,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::watch;
use ziggurat_core::BoxError;

/// Keeps a lot up to date until it is dropped.
pub(super) struct Task<T> {
    lot: Arc<Lot<T>>,
    center: ConfigCenter,
    changes: Changes,
    rules: Rules<T>,
    /// What the value in force was read from; nothing if it is the default.
    stored: Option<Bytes>,
    tell: watch::Sender<u64>,
}

/// What may be in force.
pub(super) struct Rules<T> {
    pub(super) default: Option<Box<dyn Fn() -> T + Send + Sync>>,
    pub(super) check: Option<Box<dyn Fn(&T) -> Result<(), BoxError> + Send + Sync>>,
}

// === impl Task ===

impl<T: ConfigValue> Task<T> {
    pub(super) const fn new(
        lot: Arc<Lot<T>>,
        center: ConfigCenter,
        changes: Changes,
        rules: Rules<T>,
        stored: Option<Bytes>,
        tell: watch::Sender<u64>,
    ) -> Self {
        Self {
            lot,
            center,
            changes,
            rules,
            stored,
            tell,
        }
    }

    /// Never ends; it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            match self.changes.next().await {
                Change::Put(kv) => self.put(&kv),
                Change::Delete(_, revision) => self.delete(revision),
                Change::Synced => self.lot.status.lock().trouble = None,
                Change::Trouble(error) => self.lot.status.lock().trouble = Some(error),
            }
        }
    }

    fn put(&mut self, kv: &KeyValue) {
        match self.rules.read(&self.center, kv) {
            Ok(entry) => {
                let same = self.stored.replace(kv.value.clone()).as_ref() == Some(&kv.value);
                self.lot.status.lock().revision = entry.revision;
                if !same {
                    self.set(entry.value);
                }
            }
            Err(error) => {
                tracing::warn!(key = self.lot.key, %error, "setting refused, the last one stays");
                self.lot.status.lock().refuse(error);
            }
        }
    }

    fn delete(&mut self, revision: i64) {
        let Some(default) = &self.rules.default else {
            tracing::warn!(
                key = self.lot.key,
                revision,
                "setting deleted, the last one stays"
            );
            return;
        };
        let default = default();
        self.lot.status.lock().revision = 0;
        if self.stored.take().is_some() {
            self.set(default);
        }
    }

    fn set(&self, value: T) {
        self.lot.value.set(value);
        self.tell.send_modify(|changes| *changes += 1);
    }
}

// === impl Rules ===

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self {
            default: None,
            check: None,
        }
    }
}

impl<T: ConfigValue> Rules<T> {
    /// The value that a key of the store holds, if it may be in force.
    pub(super) fn read(
        &self,
        center: &ConfigCenter,
        kv: &KeyValue,
    ) -> Result<ConfigEntry<T>, ConfigError> {
        let entry: ConfigEntry<T> = center.read(kv)?;
        match self.check(&entry.value) {
            Ok(()) => Ok(entry),
            Err(reason) => {
                let (key, revision) = (entry.key, entry.revision);
                Err(ConfigError::invalid(key, revision, &kv.value, &*reason))
            }
        }
    }

    /// The default, if there is one, and if it may be in force.
    pub(super) fn fallback(&self, key: &str) -> Result<Option<T>, ConfigError> {
        let Some(default) = &self.default else {
            return Ok(None);
        };
        let default = default();
        let valid = default.validate().and_then(|()| self.check(&default));
        match valid {
            Ok(()) => Ok(Some(default)),
            Err(reason) => Err(ConfigError::invalid(key.to_owned(), 0, b"", &*reason)),
        }
    }

    fn check(&self, value: &T) -> Result<(), BoxError> {
        self.check.as_ref().map_or(Ok(()), |check| check(value))
    }
}

// === impl Status ===

impl Status {
    pub(super) fn refuse(&mut self, error: ConfigError) {
        self.errors += 1;
        self.last_error = Some(error);
    }
}
