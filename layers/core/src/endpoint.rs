//! What a balancer may pick.

use crate::{Availability, EndpointId};

/// A service that a balancer may pick: it has a name, and tells whether it may be picked.
///
/// Cloning is cheap; every call readies a clone of its own.
pub trait Endpoint: Clone + Send + Sync + 'static {
    /// Its name, unique within its service.
    fn id(&self) -> &EndpointId;

    /// Whether it may be picked, shared by all its clones.
    fn availability(&self) -> &Availability;

    /// How loaded it says it is: 0 for idle, 1 for full. `None`: it does not say.
    fn load_hint(&self) -> Option<f64> {
        None
    }

    /// Its share of the calls, as a ratio to the weights of the others.
    fn weight(&self) -> u32 {
        1
    }

    /// A clone for one call, which nobody asks for its name, its availability, its load hint or its
    /// weight.
    ///
    /// One that shares those may leave them out: a count of references that all calls write costs each
    /// of them, most of all where threads meet.
    #[must_use]
    fn lend(&self) -> Self {
        self.clone()
    }
}

/// A stream of the endpoints of one service, which knows the service's name.
///
/// A balancer asks for it, to say which service has no endpoints.
pub trait Named {
    /// The name of the service.
    fn service(&self) -> &str;
}

/// Which endpoint answered; a response extension that a balancer writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Picked(EndpointId);

// === impl Picked ===

impl Picked {
    /// This one answered.
    #[must_use]
    pub const fn new(endpoint: EndpointId) -> Self {
        Self(endpoint)
    }

    /// The endpoint that answered.
    #[must_use]
    pub const fn endpoint(&self) -> &EndpointId {
        &self.0
    }
}
