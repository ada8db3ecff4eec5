//! Where the instances of a service come from.

use crate::{BoxError, EndpointId, Instance};
use futures_core::Stream;
use std::{pin::Pin, sync::Arc};

/// Finds the instances of a service by its name, and tells of every change.
pub trait Resolve: Send + Sync + 'static {
    /// Follows the instances of `service`.
    ///
    /// The first item that is no error is a [`Change::All`]. The stream reads nothing and spawns
    /// nothing before it is polled. An error tells of trouble and ends nothing: what was said before
    /// still stands. A stream that ends will be asked for again.
    fn resolve(&self, service: &str) -> Changes;
}

/// The instances of a service, as they come and go.
pub type Changes = Pin<Box<dyn Stream<Item = Result<Change, BoxError>> + Send>>;

/// What happened to the instances of a service. An unchanged instance never causes one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// These are all the instances there are, ordered by id.
    All(Vec<Arc<Instance>>),
    /// This one came, or is no longer what it was.
    Put(Arc<Instance>),
    /// This one is no longer there, whatever the reason: it may have left, or whoever speaks for it
    /// may only be cut off. A guard may doubt it.
    Remove(EndpointId),
    /// This one left for certain: it said goodbye, or was waited for long enough. Nobody doubts it,
    /// however many leave so.
    Left(EndpointId),
    /// Nothing else changed: the trouble that an error told of is over, and what was said before
    /// is how it is now. Every other change after an error says that as well.
    Current,
}

// === impl Resolve for pointers ===

impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn resolve(&self, service: &str) -> Changes {
        (**self).resolve(service)
    }
}

impl<R: Resolve + ?Sized> Resolve for Box<R> {
    fn resolve(&self, service: &str) -> Changes {
        (**self).resolve(service)
    }
}
