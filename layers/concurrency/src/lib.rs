//! A tower layer that bounds how many calls are under way, by a limit that is set or found.
//!
//! ```text
//!                  permits: `limit`, set or found by an algorithm
//!                 ┌───────────┐  one until the answer has ended  ┌───────────────┐
//!  call ─────────▶│           ├─────────────────────────────────▶│ inner service │
//!                 └─────┬─────┘                                  └───────────────┘
//!            none left  │     ▲ first the more critical, then the older
//!                 ┌─────▼─────┴─┐
//!                 │ the queue   │──▶ Full: waited too long, or a more critical call took the place
//!                 └─────┬───────┘
//!                       └──▶ Full: no place to wait
//! ```
//!
//! | | |
//! |---|---|
//! | **Readiness** | the inner service's; a permit is taken, and waited for, in the future of a call. One that fails is told by the next call |
//! | **Clones** | share one limit, and so do all services that one layer value wraps; [`isolated`](ConcurrencyLayer::isolated) makes another |
//! | **Dropped futures** | give their permit, or their place in the queue, to the next, and teach nothing |
//! | **Errors it adds** | [`Full`]: RESOURCE_EXHAUSTED, or DEADLINE_EXCEEDED if the deadline came first; [`Unready`](ziggurat_core::Unready): UNAVAILABLE, for an inner service whose readiness failed |
//! | **Place it** | on a server between what limits the rate and the handler; on a client inside retry, or around the connector ([`EndpointLayer`]) |
//!
//! A permit lasts until the end of the body of the answer: a stream counts while it lasts.
//!
//! # Example
//!
//! ```
//! use std::future::pending;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use ziggurat_concurrency::{ConcurrencyLayer, Full, Settings};
//! use ziggurat_core::{BoxError, ByResult, error};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let layer = ConcurrencyLayer::new(Settings::new(1)?).classify_with(ByResult);
//! let mut service = layer.layer(service_fn(|()| pending::<Result<(), BoxError>>()));
//!
//! let first = service.ready().await?.call(());
//! let error = service.clone().oneshot(()).await.unwrap_err();
//! assert_eq!(error::find::<Full>(&*error).map(Full::limit), Some(1));
//!
//! drop(first);
//! assert_eq!(layer.handle().in_flight(), 0);
//! # Ok(())
//! # }
//! ```

mod adaptive;
mod algorithm;
mod endpoint;
mod error;
mod future;
mod gate;
mod handle;
mod layer;
mod line;
mod meter;
mod observer;
mod permit;
mod priority;
mod service;
mod settings;
mod shared;
mod wait;

pub use self::{
    algorithm::{Aimd, Algorithm, Gradient2, Vegas, Window},
    endpoint::{Bounded, EndpointConnector, EndpointFuture, EndpointLayer},
    error::{Cause, Full},
    future::ResponseFuture,
    handle::Handle,
    layer::ConcurrencyLayer,
    observer::Observer,
    permit::Permit,
    priority::{Alike, ByCriticality, Prioritize, Priority},
    service::Concurrency,
    settings::Settings,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
