//! Opening a handle: read the setting, then leave the following to a task.

use super::{
    ConfigHandle, Lot, Shared, Status,
    task::{Rules, Task},
};
use crate::coord::{
    config::{ConfigCenter, ConfigError, ConfigValue, changes::Change},
    store::{Keys, StoreError},
};
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use std::{fmt, sync::Arc};
use tokio::{runtime::Handle, sync::watch, task::JoinSet};
use ziggurat_core::{BoxError, Live};

/// A handle to be: awaited, it answers as soon as the setting was read once.
///
/// # Defaults
///
/// No value for a setting that is absent, and no check but [`ConfigValue::validate`].
///
/// # Errors
///
/// Without a value to start with, what is wrong: [`ConfigError::Absent`], [`ConfigError::Invalid`],
/// or [`ConfigError::Store`] if the store is out of reach at the first try. With
/// [`or`](Self::or), none but a key or a default that is refused: the default is in force, and the
/// handle tells the rest.
#[must_use = "nothing is read before it is awaited"]
pub struct OpenHandle<T> {
    center: ConfigCenter,
    key: String,
    rules: Rules<T>,
}

// === impl OpenHandle ===

impl<T: ConfigValue> OpenHandle<T> {
    pub(in crate::coord::config) fn new(center: ConfigCenter, key: String) -> Self {
        Self {
            center,
            key,
            rules: Rules::default(),
        }
    }

    /// Puts this value in force while there is none in the store.
    pub fn or(mut self, default: T) -> Self
    where
        T: Clone,
    {
        self.rules.default = Some(Box::new(move || default.clone()));
        self
    }

    /// Refuses what does not pass this check as well; of several, the last one counts.
    pub fn check<E: Into<BoxError>>(
        mut self,
        check: impl Fn(&T) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.rules.check = Some(Box::new(move |value| check(value).map_err(Into::into)));
        self
    }

    async fn run(self) -> Result<ConfigHandle<T>, ConfigError> {
        let Self { center, key, rules } = self;
        let runtime = Handle::try_current();
        let runtime = runtime.map_err(|error| StoreError::unavailable(error.to_string()))?;
        let mut changes = center.changes(Keys::one(center.keyspace.key(&key)?));
        let default = rules.fallback(&key)?;

        let mut status = Status::default();
        let mut found = None;
        loop {
            match changes.next().await {
                Change::Put(kv) => found = Some(kv),
                Change::Delete(..) => found = None,
                Change::Synced => break,
                Change::Trouble(error) => {
                    status.trouble = Some(error);
                    break;
                }
            }
        }
        let read = found.as_ref().map(|kv| rules.read(&center, kv));
        let value = match (read, default) {
            (Some(Ok(entry)), _) => {
                status.revision = entry.revision;
                entry.value
            }
            (Some(Err(error)), Some(default)) => {
                tracing::warn!(key, %error, "setting refused, starting with the default");
                status.refuse(error);
                found = None;
                default
            }
            (None, Some(default)) => default,
            (Some(Err(error)), None) => return Err(error),
            (None, None) => {
                return Err(status
                    .trouble
                    .map_or(ConfigError::Absent { key }, Into::into));
            }
        };

        let (value, _) = Live::channel(value);
        let (tell, heard) = watch::channel(0);
        let status = Mutex::new(status);
        let lot = Arc::new(Lot { key, value, status });
        let stored = found.map(|kv| kv.value);
        let follower = Task::new(Arc::clone(&lot), center, changes, rules, stored, tell);
        let mut task = JoinSet::new();
        // The value must be kept up to date whatever its holders await.
        task.spawn_on(follower.run(), &runtime);
        Ok(ConfigHandle {
            shared: Arc::new(Shared { lot, _task: task }),
            changes: heard,
        })
    }
}

impl<T: ConfigValue> IntoFuture for OpenHandle<T> {
    type Output = Result<ConfigHandle<T>, ConfigError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for OpenHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenHandle")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
