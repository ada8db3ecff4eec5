//! The configuration. Nothing happens here.

use crate::{
    Budget, ByPredicate, Methods, Observer, Retry, Settings,
    hedge::Hedging,
    shared::{Shared, State},
};
use std::{error::Error, fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::{ByResult, Dice, Grpc, Http, KnownWord, Live};

/// Makes [`Retry`] services, which all share one budget and one measure of how long answers take.
///
/// `M` knows how a request is made once more and what its answer says: [`Grpc`] for gRPC over
/// `http::Request`, [`Http`] for plain HTTP, [`ByResult`] and [`ByPredicate`] for plain values.
#[derive(Clone)]
pub struct RetryLayer<M = Grpc> {
    mode: M,
    tells: bool,
    known: Option<KnownWord>,
    settings: Live<Settings>,
    methods: Option<Live<Methods<Settings>>>,
    dice: Dice,
    observer: Arc<dyn Observer>,
    budget: Budget,
    state: Arc<State>,
}

// === impl RetryLayer ===

impl RetryLayer {
    /// Tries gRPC calls again.
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self::by(Grpc, settings)
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl RetryLayer<Http> {
    /// Tries plain HTTP calls again.
    pub fn http(settings: impl Into<Live<Settings>>) -> Self {
        Self::by(Http, settings)
    }
}

impl RetryLayer<ByResult> {
    /// Tries calls with plain values again, by what a [`Rejection`](ziggurat_core::Rejection) says.
    ///
    /// Errors of other kinds are tried again if
    /// [`assume_idempotent`](Settings::assume_idempotent) is set, or by
    /// [`retry_if`](Self::retry_if).
    pub fn values(settings: impl Into<Live<Settings>>) -> Self {
        Self::by(ByResult, settings)
    }

    /// Tries again after those errors that `predicate` picks.
    #[must_use]
    pub fn retry_if<F>(self, predicate: F) -> RetryLayer<ByPredicate<F>>
    where
        F: Fn(&(dyn Error + 'static)) -> bool + Clone,
    {
        RetryLayer {
            mode: ByPredicate::new(predicate),
            tells: self.tells,
            known: self.known,
            settings: self.settings,
            methods: self.methods,
            dice: self.dice,
            observer: self.observer,
            budget: self.budget,
            state: self.state,
        }
    }
}

impl<M> RetryLayer<M> {
    /// Tries calls again in a way of your own: a [`Repeat`](crate::Repeat) that is a
    /// [`Judge`](crate::Judge), too.
    pub fn by(mode: M, settings: impl Into<Live<Settings>>) -> Self {
        Self {
            mode,
            tells: true,
            known: None,
            settings: settings.into(),
            methods: None,
            dice: Dice::new(),
            observer: Arc::new(()),
            budget: Budget::new(),
            state: Arc::new(State::new()),
        }
    }

    /// Some methods have settings of their own, as with the `retryPolicy` of a `methodConfig` of gRPC;
    /// all others, and requests without a method, have those of the layer.
    ///
    /// There is one budget all the same: each call earns, and pays for its retries, by the
    /// [rules](Settings::rules) of its own settings.
    #[must_use]
    pub fn by_method(mut self, methods: impl Into<Live<Methods<Settings>>>) -> Self {
        self.methods = Some(methods.into());
        self
    }

    /// Writes the time that is left into the requests of gRPC calls. On; off, for a stack whose
    /// connection writes it when a request leaves, as `ziggurat-connect` does.
    #[must_use]
    pub const fn tell(mut self, write: bool) -> Self {
        self.tells = write;
        self
    }

    /// Most requests carry this extension, besides those of ziggurat: it is kept by itself for later
    /// attempts, which costs less than a clone of all that a request carries. Of several the last
    /// counts.
    #[must_use]
    pub const fn known(mut self, word: KnownWord) -> Self {
        self.known = Some(word);
        self
    }

    /// Tells `observer` what is decided.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Draws the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Draws on `budget`, together with whoever else does, by the rules of these settings.
    #[must_use]
    pub fn share(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// What the retries of this layer draw on.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The same, with a budget, a measure and room for bodies of its own.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.budget = Budget::new();
        self.state = Arc::new(State::new());
        self
    }
}

impl<S: Clone, M: Clone> Layer<S> for RetryLayer<M> {
    type Service = Retry<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        self.around(inner, Hedging::off())
    }
}

impl<M: Clone> RetryLayer<M> {
    /// A service whose calls are hedged like this.
    pub(crate) fn around<S: Clone>(&self, inner: S, hedging: Hedging) -> Retry<S, M> {
        let shared = Shared {
            mode: self.mode.clone(),
            tells: self.tells,
            known: self.known,
            settings: self.settings.clone(),
            constant: self.settings.get(),
            differs: self.methods.is_some() || self.settings.watched().is_some(),
            methods: self.methods.clone(),
            dice: self.dice.clone(),
            observer: Arc::clone(&self.observer),
            budget: self.budget.clone(),
            state: Arc::clone(&self.state),
        };
        Retry::new(inner, shared, hedging)
    }
}

impl<M: fmt::Debug> fmt::Debug for RetryLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLayer")
            .field("mode", &self.mode)
            .field("settings", &self.settings)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}
