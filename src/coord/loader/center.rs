//! A setting of the config center as a source.

use super::{ConfigSource, SourceFuture};
use crate::coord::config::{ConfigCenter, ConfigError};
use serde_json::Value;

/// A setting of the config center that holds a JSON object.
#[derive(Clone, Debug)]
pub struct CenterSource {
    center: ConfigCenter,
    key: String,
    name: String,
    optional: bool,
}

// === impl CenterSource ===

impl CenterSource {
    /// The setting under `key`.
    ///
    /// # Defaults
    ///
    /// It must be there.
    #[must_use]
    pub fn new(center: ConfigCenter, key: &str) -> Self {
        Self {
            center,
            key: key.to_owned(),
            name: format!("center {key}"),
            optional: false,
        }
    }

    /// Says nothing if the setting is absent. A center that is out of reach stays an error.
    #[must_use]
    pub fn optional(self) -> Self {
        let optional = true;
        Self { optional, ..self }
    }
}

impl ConfigSource for CenterSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self) -> SourceFuture<'_> {
        Box::pin(async move {
            match self.center.get::<Value>(&self.key).await? {
                Some(entry) => Ok(entry.value),
                None if self.optional => Ok(Value::Null),
                None => {
                    let key = self.key.clone();
                    Err(ConfigError::Absent { key }.into())
                }
            }
        })
    }
}
