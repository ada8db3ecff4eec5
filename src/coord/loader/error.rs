//! Why there are no settings.

use ziggurat_core::BoxError;

/// Why a `ConfigLoader` could not load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A source could not be read.
    #[error("failed to load from {name}: {source}")]
    Source {
        /// The source.
        name: String,
        /// What went wrong.
        source: BoxError,
    },
    /// A value is not what it must be, or there is none.
    #[error("failed to load from {name}: `{path}` is {value}: {reason}")]
    Value {
        /// The source that has the value; of one that is missing, all that were read.
        name: String,
        /// Where it stands, as `server.ports[0]`; `.` for the whole.
        path: String,
        /// The value as JSON, cut to 64 characters.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Everything could be read, but together it does not validate.
    #[error("loaded settings are invalid: {source}")]
    Invalid {
        /// What is wrong.
        source: BoxError,
    },
}

// === impl LoadError ===

impl LoadError {
    pub(super) fn source(name: &str, source: BoxError) -> Self {
        let name = name.to_owned();
        Self::Source { name, source }
    }
}
