//! Turns a connector into the endpoints of a service, as they come and go.
//!
//! A [`DiscoverLayer`] around a connector, a tower service that makes an endpoint of an
//! [`Instance`](ziggurat_core::Instance), is a stream of endpoints: a [`tower::discover::Discover`],
//! which a balancer consumes, ours or tower's.
//!
//! ```text
//!  Resolve ──changes──▶ filter ──▶ hold ──▶ subset ──▶ connect ──▶ Insert, Remove
//!     ▲                             │
//!     └─ asked again with backoff   └─ what empties or shrinks by 80 % at once
//!        when it ends; what it         stays for the grace period
//!        said last still stands
//! ```
//!
//! The source is believed as a whole set: what it says again causes nothing, whatever way it says
//! it. An instance that moved to another address or port is connected there, and the new endpoint
//! replaces the old one as soon as its [`Availability`](ziggurat_core::Availability) is no worse, or
//! after 20 s; until then the old one stays. Anything else that changes costs no connection: a new
//! weight is told by inserting the same endpoint once more. One that went is marked as draining and
//! taken back at once; calls that it has go on.
//!
//! What the source says can be narrowed before, by a condition, to a zone, or to one client's share:
//! see [`ResolveExt`].
//!
//! An instance that says goodbye ([`Change::Left`](ziggurat_core::Change::Left)) is gone at once,
//! however many do; only those who vanish are held. Whoever looks at instances without connecting
//! to them has the same by a [`Guard`] around the source, which also says when a set is stale.
//!
//! | | |
//! |---|---|
//! | Readiness | It is a stream. It honours the connector's readiness; up to 64 connectors run at once. |
//! | Clones | Of the layer: the same settings. Every stream has its own source, subset and state. |
//! | Dropped futures | The stream, dropped, cancels every connector and ends the source. |
//! | Errors it adds | None: it never yields one and never ends, for that would be a balancer's end. Trouble goes to `tracing` and the [`Observer`]. |
//! | Place it | Between a connector and a balancer. |
//!
//! # Example
//!
//! ```
//! use futures_util::StreamExt;
//! use std::{convert::Infallible, future::{Ready, ready}, task::{Context, Poll}};
//! use tower::{Layer, Service, discover::Change};
//! use ziggurat_core::{Availability, Endpoint, EndpointId, Instance};
//! use ziggurat_discover::{DiscoverLayer, Fixed};
//!
//! /// Stands for a connection.
//! #[derive(Clone)]
//! struct Named(EndpointId, Availability);
//!
//! impl Endpoint for Named {
//!     fn id(&self) -> &EndpointId { &self.0 }
//!     fn availability(&self) -> &Availability { &self.1 }
//! }
//!
//! struct Connector;
//!
//! impl Service<Instance> for Connector {
//!     type Response = Named;
//!     type Error = Infallible;
//!     type Future = Ready<Result<Named, Infallible>>;
//!
//!     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
//!         Poll::Ready(Ok(()))
//!     }
//!
//!     fn call(&mut self, instance: Instance) -> Self::Future {
//!         ready(Ok(Named(instance.id().clone(), Availability::new())))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! let instance = Instance::new("user-service", "a", "10.0.0.1", 50051)?;
//! let layer = DiscoverLayer::new(Fixed::new([instance]), "user-service");
//! let mut endpoints = layer.layer(Connector);
//!
//! let Some(Ok(Change::Insert(id, endpoint))) = endpoints.next().await else { panic!() };
//! assert_eq!(id.as_str(), "a");
//! assert!(endpoint.availability().is_ready());
//! # Ok(())
//! # }
//! ```

mod adapted;
mod aperture;
mod chain;
mod discovered;
#[cfg(feature = "dns")]
pub mod dns;
mod endpoints;
mod feedback;
mod guard;
mod layer;
mod members;
mod networks;
mod observer;
mod only;
mod roster;
mod source;
mod sources;
mod subset;
mod succession;
mod zones;

pub use self::{
    adapted::{Adapted, Choose, Instances},
    aperture::{Aperture, DeterministicAperture},
    chain::ResolveExt,
    discovered::Discovered,
    endpoints::Endpoints,
    feedback::Feedback,
    guard::{Guard, Guarded, Heard, Stale},
    layer::DiscoverLayer,
    networks::Networks,
    observer::Observer,
    only::Only,
    sources::{Fixed, Watched},
    zones::Zones,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
