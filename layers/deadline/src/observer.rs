//! What the layer has to tell.

use crate::Exceeded;
use http::{HeaderName, HeaderValue};

/// Is told what happens to deadlines, after it has been decided.
pub trait Observer: Send + Sync + 'static {
    /// A call was over, or its time was up before it began.
    fn exceeded(&self, error: &Exceeded) {
        let _ = error;
    }

    /// A timeout in this header makes no sense and was ignored.
    fn malformed(&self, header: &HeaderName, value: &HeaderValue) {
        let _ = (header, value);
    }
}

/// Tells nobody.
impl Observer for () {}
