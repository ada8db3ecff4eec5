//! A request that its caller could not send in full.

use crate::BoxError;
use std::{error::Error, fmt};

/// The body of a request failed, and with it the call: the doing of whoever sends it, and not of the
/// server, to whom it [counts](crate::Outcome) as cancelled.
///
/// A gateway sees it whenever somebody breaks an upload off. What the body failed with is its
/// [`source`](Error::source).
///
/// ```
/// use ziggurat_core::{BrokenRequest, error};
///
/// let error = error::BoxError::from(BrokenRequest::new("the browser has gone"));
/// assert!(error::find::<BrokenRequest>(&*error).is_some());
/// ```
#[derive(Debug)]
pub struct BrokenRequest(BoxError);

// === impl BrokenRequest ===

impl BrokenRequest {
    /// The body failed with this.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for BrokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request body failed")
    }
}

impl Error for BrokenRequest {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
