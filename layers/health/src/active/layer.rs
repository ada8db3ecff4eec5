//! Configuration.

use super::{Active, Settings};
use crate::Observer;
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::Dice;

/// Wraps a connector, so that each endpoint it makes is asked how it does.
///
/// `F` makes a body of the endpoints' kind of the bytes of a request.
#[derive(Clone)]
pub struct ActiveLayer<F> {
    /// `None`: nobody is asked.
    pub(super) settings: Option<Settings>,
    pub(super) body: F,
    pub(super) dice: Dice,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

// === impl ActiveLayer ===

impl<F> ActiveLayer<F> {
    /// Asks as `settings` say, or nobody at all if there are none.
    #[must_use]
    pub fn new(settings: impl Into<Option<Settings>>, body: F) -> Self {
        Self {
            settings: settings.into(),
            body,
            dice: Dice::new(),
            observer: None,
        }
    }

    /// Draws the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Tells `observer` what endpoints say.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl<M, F: Clone> Layer<M> for ActiveLayer<F> {
    type Service = Active<M, F>;

    fn layer(&self, connector: M) -> Active<M, F> {
        Active::new(connector, self.clone())
    }
}

impl<F> fmt::Debug for ActiveLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveLayer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
