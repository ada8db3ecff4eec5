//! Watches the endpoints that a connector makes.

use crate::{
    Health, Observer, Settings,
    group::{Group, Services},
};
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::{Dice, Grpc, Live};

/// Wraps a connector, so that each endpoint it makes is watched.
///
/// All connectors and all clones of one layer value share what is known of the endpoints of each
/// service; [`isolated`](Self::isolated) makes one that shares nothing.
#[derive(Clone)]
pub struct HealthLayer<C = Grpc> {
    classify: C,
    shared: Shared,
}

/// What a layer value and its services share.
#[derive(Clone)]
pub(crate) struct Shared {
    services: Arc<Services>,
    settings: Live<Settings>,
    dice: Dice,
    observer: Option<Arc<dyn Observer>>,
}

// === impl HealthLayer ===

impl HealthLayer {
    /// Ejects by `settings`, a value or a live one; reads outcomes as gRPC says them.
    #[must_use]
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self {
            classify: Grpc,
            shared: Shared {
                services: Arc::default(),
                settings: settings.into(),
                dice: Dice::new(),
                observer: None,
            },
        }
    }
}

impl Default for HealthLayer {
    fn default() -> Self {
        Self::new(Settings::new())
    }
}

impl<C> HealthLayer<C> {
    /// Reads how calls end by `classify`.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> HealthLayer<D> {
        HealthLayer {
            classify,
            shared: self.shared,
        }
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.shared.observer = Some(Arc::new(observer));
        self
    }

    /// Spreads the times of ejection with `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.shared.dice = dice;
        self
    }

    /// The same settings, with a state of its own.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.shared.services = Arc::default();
        self
    }
}

impl<M, C: Clone> Layer<M> for HealthLayer<C> {
    type Service = Health<M, C>;

    fn layer(&self, connector: M) -> Health<M, C> {
        Health::new(connector, self.classify.clone(), self.shared.clone())
    }
}

impl<C> fmt::Debug for HealthLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthLayer")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn group(&self, service: &str) -> Arc<Group> {
        self.services.group(service, || {
            let (settings, dice) = (self.settings.clone(), self.dice.clone());
            Group::new(service, settings, dice, self.observer.clone())
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("services", &self.services)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
