//! A source that is at hand.

use super::{ConfigSource, SourceFuture};
use serde::Serialize;
use serde_json::Value;

/// Settings that are known already, such as defaults.
#[derive(Clone, Debug)]
pub struct ValueSource {
    name: String,
    values: Result<Value, String>,
}

// === impl ValueSource ===

impl ValueSource {
    /// What `values` serialize to, under a name for errors. What does not serialize is an error
    /// when it is loaded.
    #[must_use]
    pub fn new(name: &str, values: &impl Serialize) -> Self {
        Self {
            name: name.to_owned(),
            values: serde_json::to_value(values).map_err(|error| error.to_string()),
        }
    }
}

impl ConfigSource for ValueSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self) -> SourceFuture<'_> {
        let values = self.values.clone().map_err(Into::into);
        Box::pin(std::future::ready(values))
    }
}
