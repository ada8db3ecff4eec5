//! What a stack is built with.

use crate::{Answer, Observer};
use std::{fmt, sync::Arc};
use tower_layer::Layer;

/// Answers the errors of the services that it wraps.
#[derive(Clone, Default)]
pub struct AnswerLayer {
    observer: Option<Arc<dyn Observer>>,
}

// === impl AnswerLayer ===

impl AnswerLayer {
    /// Answers every error, by the content type of the request.
    ///
    /// # Defaults
    ///
    /// No observer. Errors that nobody meant for a peer are logged in any case.
    #[must_use]
    pub const fn new() -> Self {
        Self { observer: None }
    }

    /// Tells `observer` what is answered.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl<S> Layer<S> for AnswerLayer {
    type Service = Answer<S>;

    fn layer(&self, inner: S) -> Answer<S> {
        Answer::new(inner, self.observer.clone())
    }
}

impl fmt::Debug for AnswerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerLayer").finish_non_exhaustive()
    }
}
