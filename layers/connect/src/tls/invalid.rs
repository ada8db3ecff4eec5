//! What is wrong with how TLS was set up.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

/// TLS cannot work as it was set up: a certificate, a key or a name is missing or does not fit.
#[derive(Clone, Debug)]
pub struct InvalidTls {
    what: Cow<'static, str>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

// === impl InvalidTls ===

impl InvalidTls {
    pub(super) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        let what = what.into();
        Self { what, cause: None }
    }

    pub(super) fn because(what: &'static str, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            what: what.into(),
            cause: Some(Arc::new(cause)),
        }
    }
}

impl fmt::Display for InvalidTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid TLS: {}", self.what)
    }
}

impl Error for InvalidTls {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}
