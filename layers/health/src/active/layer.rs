//! Configuration.

use super::{Active, Settings};
use crate::Observer;
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::{Dice, Live};

/// Wraps a connector, so that each endpoint it makes is asked how it does.
///
/// `F` makes a body of the endpoints' kind of the bytes of a request.
#[derive(Clone)]
pub struct ActiveLayer<F> {
    pub(super) questions: Questions,
    pub(super) body: F,
    pub(super) dice: Dice,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

/// What is to be asked now, and whether that may change. `None`: nobody is asked.
#[derive(Clone, Debug)]
pub(super) enum Questions {
    Fixed(Option<Settings>),
    Live(Live<Option<Settings>>),
}

// === impl Questions ===

impl Questions {
    pub(super) fn now(&self) -> Option<Settings> {
        match self {
            Self::Fixed(settings) => settings.clone(),
            Self::Live(live) => live.read(Option::clone),
        }
    }

    pub(super) fn are(&self, settings: &Option<Settings>) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Live(live) => live.read(|now| now == settings),
        }
    }

    /// Will nobody ever be asked?
    pub(super) const fn are_none(&self) -> bool {
        matches!(self, Self::Fixed(None))
    }
}

// === impl ActiveLayer ===

impl<F> ActiveLayer<F> {
    /// Asks as `settings` say, or nobody at all if there are none.
    #[must_use]
    pub fn new(settings: impl Into<Option<Settings>>, body: F) -> Self {
        Self::with(Questions::Fixed(settings.into()), body)
    }

    /// Asks as `settings` say at the time, or nobody while there are none.
    ///
    /// A change counts within 5 s, also where a `Watch` is open; until the next answer the last one
    /// stands.
    #[must_use]
    pub fn live(settings: Live<Option<Settings>>, body: F) -> Self {
        Self::with(Questions::Live(settings), body)
    }

    fn with(questions: Questions, body: F) -> Self {
        Self {
            questions,
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
            .field("settings", &self.questions)
            .finish_non_exhaustive()
    }
}
