//! Configuration.

use crate::{endpoints::Endpoints, feedback::Feedback, observer::Observer};
use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{Backoff, Dice, Instance, Resolve, contain};

/// Turns a connector into the [`Endpoints`] of a service.
///
/// Each stream it makes is its own: it asks the source itself, and draws a subset of its own.
///
/// # Defaults
///
/// All instances up to 32, a random 32 of more; a set that shrinks suddenly is held for 10 s;
/// trouble is waited out for 200 ms, times 1.6, up to 30 s, 20 % either way; no filter; nobody who
/// observes.
#[derive(Clone)]
pub struct DiscoverLayer {
    pub(crate) resolve: Arc<dyn Resolve>,
    pub(crate) service: Arc<str>,
    pub(crate) subset: NonZeroUsize,
    pub(crate) grace: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) dice: Dice,
    pub(crate) feedback: Option<Feedback>,
    pub(crate) observer: Arc<dyn Observer>,
}

type Filter = dyn Fn(&Instance) -> bool + Send + Sync;

const SUBSET: NonZeroUsize = NonZeroUsize::new(32).unwrap();
pub(crate) const GRACE: Duration = Duration::from_secs(10);

// === impl DiscoverLayer ===

impl DiscoverLayer {
    /// Follows the instances of `service` that `resolve` finds.
    pub fn new(resolve: impl Resolve, service: impl Into<Arc<str>>) -> Self {
        Self {
            resolve: Arc::new(resolve),
            service: service.into(),
            subset: SUBSET,
            grace: GRACE,
            backoff: backoff(),
            filter: None,
            dice: Dice::new(),
            feedback: None,
            observer: Arc::new(()),
        }
    }

    /// Connects to so many instances at most, of more to a random choice that changes as little as
    /// can be.
    #[must_use]
    pub fn subset(mut self, most: NonZeroUsize) -> Self {
        self.subset = most;
        self
    }

    /// Connects to all instances, however many there are.
    #[must_use]
    pub fn whole(self) -> Self {
        self.subset(NonZeroUsize::MAX)
    }

    /// Keeps a set for so long that the source emptied, or shrank by 80 % or more if it had five;
    /// zero to believe the source at once.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Waits so before a source or a connector that failed is asked again.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Takes no notice of instances for which `keep` is false. One for which it was true before is let
    /// go at once: it is not missing, and no [`grace`](Self::grace) keeps it.
    #[must_use]
    pub fn filter(mut self, keep: impl Fn(&Instance) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(keep));
        self
    }

    /// Draws the subset and the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Tells `feedback`, and by it the source and its adapters, how the endpoints do.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }

    /// Tells `observer` of trouble, and of sets that shrink.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Tells the observer, which cannot end the discovery that tells it.
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        contain(|| what(&*self.observer));
    }
}

impl<M: Service<Instance>> Layer<M> for DiscoverLayer {
    type Service = Endpoints<M>;

    fn layer(&self, connector: M) -> Endpoints<M> {
        Endpoints::new(self.clone(), connector)
    }
}

impl fmt::Debug for DiscoverLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscoverLayer")
            .field("service", &self.service)
            .field("subset", &self.subset)
            .field("grace", &self.grace)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

fn backoff() -> Backoff {
    let usual = Backoff::new(Duration::from_millis(200), 1.6, Duration::from_secs(30));
    usual.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_backoff_is_what_the_words_say() {
        assert_eq!(backoff().max(), Duration::from_secs(30));
    }
}
