//! The changes of settings, typed.

use super::{
    ConfigCenter, ConfigEntry, ConfigError, ConfigValue,
    changes::{Change, Changes},
};
use futures_core::{Stream, stream::BoxStream};
use futures_util::{StreamExt, stream};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// What happens to a setting, or to all under a prefix; it never ends.
///
/// First come the settings that are there, then every change in the order of revisions, none twice.
/// It begins when it is polled, has no task, and is as slow as whoever polls it. It goes on through
/// broken watches; after a compaction it tells the difference between what it told before and what
/// is there.
///
/// An error takes nothing away and is followed by what comes next:
///
/// - [`ConfigError::Invalid`]: a value that is no `T`, once for each time that it was written;
/// - [`ConfigError::Store`]: the store is out of reach, once until it is back.
///
/// Outside of a tokio runtime it goes no further than the first trouble with the store.
///
/// ```
/// use futures_util::StreamExt;
/// use ziggurat::coord::{ConfigCenter, ConfigEvent};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let center = ConfigCenter::memory();
/// center.set("limits/login", &5_u32).await?;
/// let mut limits = center.watch_prefix::<u32>("limits")?;
/// for _ in 0..2 {
///     match limits.next().await.expect("it never ends") {
///         Ok(ConfigEvent::Put(entry)) => assert_eq!((&*entry.key, entry.value), ("limits/login", 5)),
///         Ok(ConfigEvent::Delete { key, .. }) => assert_eq!(key, "limits/login"),
///         other => panic!("{other:?}"),
///     }
///     center.delete("limits/login").await?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is watched before it is polled"]
pub struct ConfigWatch<T>(BoxStream<'static, Result<ConfigEvent<T>, ConfigError>>);

/// One thing that happened to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigEvent<T> {
    /// It was written, or was there when the watch began.
    Put(ConfigEntry<T>),
    /// It was deleted.
    Delete {
        /// Its key.
        key: String,
        /// The revision that deleted it; after a compaction, one by which it was.
        revision: i64,
    },
}

// === impl ConfigWatch ===

impl<T: ConfigValue> ConfigWatch<T> {
    pub(super) fn new(center: ConfigCenter, changes: Changes) -> Self {
        let next = |(center, mut changes): (ConfigCenter, Changes)| async move {
            loop {
                let change = changes.next().await;
                if let Some(event) = event(&center, change) {
                    return Some((event, (center, changes)));
                }
            }
        };
        Self(stream::unfold((center, changes), next).boxed())
    }
}

impl<T> Stream for ConfigWatch<T> {
    type Item = Result<ConfigEvent<T>, ConfigError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<T> fmt::Debug for ConfigWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigWatch").finish_non_exhaustive()
    }
}

/// What a change means; nothing if it is about a key that nobody could ask for.
fn event<T: ConfigValue>(
    center: &ConfigCenter,
    change: Change,
) -> Option<Result<ConfigEvent<T>, ConfigError>> {
    Some(match change {
        Change::Put(kv) => {
            center.keyspace.name(&kv.key)?;
            center.read(&kv).map(ConfigEvent::Put)
        }
        Change::Delete(key, revision) => {
            let key = center.keyspace.name(&key)?;
            Ok(ConfigEvent::Delete { key, revision })
        }
        Change::Trouble(error) => Err(error.into()),
        Change::Synced => return None,
    })
}
