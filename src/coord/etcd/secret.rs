//! What must never be printed.

use std::{fmt, sync::Arc};

/// A password or a private key. It can be used, but not shown.
///
/// ```
/// use ziggurat::coord::Secret;
///
/// let password = Secret::new("correct horse");
/// assert_eq!(format!("{password:?}"), "Secret");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<str>);

// === impl Secret ===

impl Secret {
    /// Keeps this to itself.
    pub fn new(secret: impl Into<Arc<str>>) -> Self {
        Self(secret.into())
    }

    /// What it is; for the wire alone.
    pub(super) fn expose(&self) -> &str {
        let Self(secret) = self;
        secret
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}
