//! What the layer has to tell.

use crate::Exceeded;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use ziggurat_core::contain;

/// Is told what happens to deadlines, after it has been decided. One that panics changes nothing.
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

/// Who is told, if anybody is: one word wide, as every call carries it along.
#[derive(Clone, Default)]
pub(crate) struct Told(Option<Arc<Box<dyn Observer>>>);

/// Tells nobody.
impl Observer for () {}

// === impl Told ===

impl Told {
    pub(crate) fn by(observer: impl Observer) -> Self {
        Self(Some(Arc::new(Box::new(observer))))
    }
}

impl Observer for Told {
    fn exceeded(&self, error: &Exceeded) {
        if let Some(observer) = &self.0 {
            contain(|| observer.exceeded(error));
        }
    }

    fn malformed(&self, header: &HeaderName, value: &HeaderValue) {
        if let Some(observer) = &self.0 {
            contain(|| observer.malformed(header, value));
        }
    }
}
