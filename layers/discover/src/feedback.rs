//! How the endpoints of a service do, told to where their instances come from.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use ziggurat_core::{Availability, EndpointId, State};

/// What a [`DiscoverLayer`](crate::DiscoverLayer) knows of its endpoints, for the sources below it.
///
/// A source and its adapters know instances, and nothing of connections. One value, given to the
/// layer ([`DiscoverLayer::feedback`](crate::DiscoverLayer::feedback)) and to those who want to know,
/// tells them; clones are the same. It goes by services, each of one stream at a time.
#[derive(Clone, Default)]
pub struct Feedback(Arc<Mutex<HashMap<Box<str>, Arc<Roll>>>>);

/// The endpoints of one service.
#[derive(Default)]
pub(crate) struct Roll {
    endpoints: Mutex<HashMap<EndpointId, Enrolled>>,
    /// Told of every change of any of them.
    pub(crate) changed: Arc<Notify>,
}

/// Enters endpoints for one stream. Dropped, none of them is there any more.
pub(crate) struct Clerk(Arc<Roll>);

struct Enrolled {
    availability: Availability,
    /// It could not be called, and was not well since.
    out: bool,
}

// === impl Feedback ===

impl Feedback {
    pub(crate) fn roll(&self, service: &str) -> Arc<Roll> {
        let mut services = lock(&self.0);
        if let Some(roll) = services.get(service) {
            return Arc::clone(roll);
        }
        // Nobody else has it: neither a stream nor a source.
        services.retain(|_, roll| Arc::strong_count(roll) > 1);
        let roll = services.entry(service.into()).or_default();
        Arc::clone(roll)
    }
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = lock(&self.0);
        f.debug_set().entries(services.keys()).finish()
    }
}

// === impl Roll ===

impl Roll {
    /// Who of the endpoints cannot be called.
    pub(crate) fn out(&self) -> Vec<EndpointId> {
        let mut endpoints = lock(&self.endpoints);
        let out = endpoints
            .iter_mut()
            .filter_map(|(id, one)| one.is_out().then_some(id));
        out.cloned().collect()
    }

    /// Are there endpoints, and none of them can be called?
    #[cfg_attr(not(feature = "dns"), allow(dead_code, reason = "DNS wants to know"))]
    pub(crate) fn is_all_out(&self) -> bool {
        let mut endpoints = lock(&self.endpoints);
        !endpoints.is_empty() && endpoints.values_mut().all(Enrolled::is_out)
    }
}

impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = lock(&self.endpoints).len();
        f.debug_struct("Roll")
            .field("endpoints", &endpoints)
            .finish()
    }
}

// === impl Enrolled ===

impl Enrolled {
    fn is_out(&mut self) -> bool {
        match self.availability.state() {
            State::Ready | State::Idle => self.out = false,
            State::Down | State::Ejected => self.out = true,
            // One that connects again after it was out has not come back yet.
            _ => {}
        }
        self.out
    }
}

// === impl Clerk ===

impl Clerk {
    pub(crate) const fn new(roll: Arc<Roll>) -> Self {
        Self(roll)
    }

    pub(crate) fn enter(&self, id: &EndpointId, availability: &Availability) {
        availability.listen(&self.0.changed);
        let availability = availability.clone();
        let mut endpoints = lock(&self.0.endpoints);
        let out = endpoints.get(id).is_some_and(|before| before.out);
        endpoints.insert(id.clone(), Enrolled { availability, out });
        drop(endpoints);
        self.0.changed.notify_waiters();
    }

    pub(crate) fn strike(&self, id: &EndpointId) {
        lock(&self.0.endpoints).remove(id);
        self.0.changed.notify_waiters();
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        lock(&self.0.endpoints).clear();
        self.0.changed.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
