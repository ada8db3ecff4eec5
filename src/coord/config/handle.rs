//! The value of a setting that is in force now.

mod open;
mod task;

pub use self::open::OpenHandle;
use super::ConfigError;
use crate::coord::store::StoreError;
use parking_lot::Mutex;
use std::{fmt, sync::Arc};
use tokio::{sync::watch, task::JoinSet};
use ziggurat_core::{Live, LiveSetter};

/// A setting, as it is now; clones follow together.
///
/// One task follows the store, and ends when the last clone is dropped. Whatever happens there, a
/// value is in force: what was valid last stays while the store is out of reach, and when a new
/// value cannot be read or does not validate; that is counted, logged, and shown by
/// [`last_error`](Self::last_error). A setting that is deleted falls back to its default, as it
/// would after a restart; without one the last value stays.
///
/// ```
/// use ziggurat::coord::ConfigCenter;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let center = ConfigCenter::memory();
/// let mut theme = center.handle("app/settings/theme").or("light".to_owned()).await?;
/// assert_eq!(*theme.load(), "light");
///
/// center.set("app/settings/theme", "dark").await?;
/// assert_eq!(theme.changed().await.as_deref().map(String::as_str), Some("dark"));
/// # Ok(())
/// # }
/// ```
pub struct ConfigHandle<T> {
    shared: Arc<Shared<T>>,
    changes: watch::Receiver<u64>,
}

struct Shared<T> {
    lot: Arc<Lot<T>>,
    /// Ends with the last handle. It has a watch of its own, not one that is shared by all who ask
    /// for the key: handles that are opened apart read other types by other rules, and each must
    /// hear of every value to count the bad ones. One key is the least that a store can watch, and a
    /// process that wants it in several places clones the handle.
    _task: JoinSet<()>,
}

/// What handles and their task share.
struct Lot<T> {
    key: String,
    value: LiveSetter<T>,
    status: Mutex<Status>,
}

/// How it is with the setting.
#[derive(Debug, Default)]
struct Status {
    revision: i64,
    errors: u64,
    last_error: Option<ConfigError>,
    trouble: Option<StoreError>,
}

// === impl ConfigHandle ===

impl<T> ConfigHandle<T> {
    /// Waits until another value is in force than when this clone last waited, or was made, and
    /// answers it; none if the runtime of the task is gone.
    ///
    /// Several changes in a row may be seen as one: it answers the newest.
    pub async fn changed(&mut self) -> Option<Arc<T>> {
        self.changes.changed().await.ok()?;
        Some(self.load())
    }

    /// The value in force.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        self.shared.lot.value.load()
    }

    /// The same, for a layer that takes its settings live. It does not keep the task going: once
    /// the last handle is dropped, the last value stays.
    #[must_use]
    pub fn live(&self) -> Live<T> {
        self.shared.lot.value.live()
    }

    /// The key, as it was asked for.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.shared.lot.key
    }

    /// The revision that wrote the value in force; 0 if that is the default.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.shared.lot.status.lock().revision
    }

    /// How many values were refused so far; each counts once, however often it is read.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.shared.lot.status.lock().errors
    }

    /// Why a value was refused, the last time; it stays when a good one comes.
    #[must_use]
    pub fn last_error(&self) -> Option<ConfigError> {
        self.shared.lot.status.lock().last_error.clone()
    }

    /// Why nothing new is heard from the store at present, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.lot.status.lock().trouble.clone()
    }
}

impl<T> Clone for ConfigHandle<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            changes: self.changes.clone(),
        }
    }
}

impl<T> fmt::Debug for ConfigHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: it may be a secret.
        f.debug_struct("ConfigHandle")
            .field("key", &self.key())
            .field("status", &*self.shared.lot.status.lock())
            .finish_non_exhaustive()
    }
}
