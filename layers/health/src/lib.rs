//! Takes endpoints out of the balance while they keep failing, and brings them back by a probe.
//!
//! ```text
//!              N in a row, and room
//!   Serving ─────────────────────────> Ejected (unpickable)
//!      ^                                  │   ^
//!      │ probe succeeds           time up │   │ probe fails: longer
//!      │                                  v   │
//!      └──── Probing (unpickable) <─── Recovering (pickable once)
//!                 └── cancelled, or silent ──^
//! ```
//!
//! A probe that was silent for too long and then succeeds after all brings the endpoint back, too.
//!
//! With [`Settings::success_rate`] and [`Settings::failure_percentage`] endpoints are also compared with
//! each other (gRFC A50); the module [`active`] asks them how they do.
//!
//! | Question        | Answer |
//! |-----------------|--------|
//! | Readiness       | the inner service's, of the connector and of each endpoint |
//! | Clones          | of an endpoint are that endpoint; of the layer share what is known of every endpoint |
//! | Dropped futures | count for nothing, unless their deadline has passed; a dropped probe makes room for the next |
//! | Errors it adds  | none: an ejected endpoint is not picked, and what reaches it anyway is passed on |
//! | Place it        | around the connector, inside of balance: it sees every attempt, and the connection's errors |
//!
//! # Example
//!
//! ```
//! use std::io;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use ziggurat_core::{ByResult, Endpoint, Instance, State};
//! use ziggurat_health::{HealthLayer, Settings};
//! # use std::{future::{Ready, ready}, task::{Context, Poll}};
//! # use ziggurat_core::{Availability, EndpointId};
//! #
//! # #[derive(Clone)]
//! # struct Failing(EndpointId, Availability);
//! #
//! # impl Endpoint for Failing {
//! #     fn id(&self) -> &EndpointId {
//! #         &self.0
//! #     }
//! #
//! #     fn availability(&self) -> &Availability {
//! #         &self.1
//! #     }
//! # }
//! #
//! # impl Service<u32> for Failing {
//! #     type Response = u32;
//! #     type Error = io::Error;
//! #     type Future = Ready<io::Result<u32>>;
//! #
//! #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
//! #         Poll::Ready(Ok(()))
//! #     }
//! #
//! #     fn call(&mut self, _: u32) -> Self::Future {
//! #         ready(Err(io::Error::other("no")))
//! #     }
//! # }
//! #
//! # fn failing(instance: &Instance) -> Failing {
//! #     Failing(instance.id().clone(), Availability::new())
//! # }
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // Makes endpoints that fail every call.
//! let connector = service_fn(|instance: Instance| async move {
//!     Ok::<_, io::Error>(failing(&instance))
//! });
//! let mut connector = HealthLayer::new(Settings::new().failures(3))
//!     .classify_with(ByResult)
//!     .layer(connector);
//!
//! let at = |id| Instance::new("users", id, "localhost", 80);
//! let mut bad = connector.ready().await?.call(at("bad")?).await?;
//! let _other = connector.ready().await?.call(at("other")?).await?;
//! for n in 0..3 {
//!     bad.ready().await?.call(n).await.unwrap_err();
//! }
//! assert_eq!(bad.availability().state(), State::Ejected);
//! # Ok(())
//! # }
//! ```

pub mod active;
mod counts;
mod future;
mod group;
mod judge;
mod layer;
mod observer;
mod outliers;
mod policy;
mod record;
mod seat;
mod service;
mod settings;
mod sweep;

pub use self::{
    future::{ConnectFuture, ResponseFuture},
    layer::HealthLayer,
    observer::Observer,
    outliers::{Detection, FailurePercentage, SuccessRate},
    record::Watch,
    service::{Checked, Health},
    settings::Settings,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
