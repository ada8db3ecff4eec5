//! Sends every call to the best endpoint of a service, out of those that a discovery finds.
//!
//! ```text
//!  Discover ──> driver task ──> set of endpoints (swapped as a whole)
//!                                     │
//!                                     v
//!   call ──> pick ── ready ──> Calling ──> answer, measured to its end
//!             ^  │
//!             │  └─ busy or broken: pick another
//!             │                     │ none left
//!             └──── a change ── Waiting ── deadline, or fail-fast bound ──> NoEndpoints
//! ```
//!
//! When nobody is left but endpoints that only their health is held against, those are picked.
//!
//! | Question        | Answer |
//! |-----------------|--------|
//! | Readiness       | always ready: a call waits in its future, where its deadline is known |
//! | Clones          | share the endpoints, their statistics and the one driver task, which ends with the last clone |
//! | Dropped futures | give their place at the endpoint back; how long they lasted counts only if that is more than expected |
//! | Errors it adds  | [`NoEndpoints`] |
//! | Place it        | inside retry, so that every attempt picks again; outside of each endpoint's health and connection |
//!
//! # Example
//!
//! ```
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, discover::ServiceList, service_fn};
//! use ziggurat_balance::{BalanceLayer, Foreign};
//! use ziggurat_core::ByResult;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let greet = service_fn(|name: &'static str| async move {
//!     Ok::<_, Infallible>(format!("hello, {name}"))
//! });
//! let discover = ServiceList::new::<&'static str>(vec![greet, greet, greet]);
//! let service = BalanceLayer::p2c()
//!     .classify_with(ByResult)
//!     .layer(Foreign::new("greeter", discover));
//!
//! assert_eq!(service.clone().oneshot("world").await?, "hello, world");
//! assert_eq!(service.endpoints().len(), 3);
//! # Ok(())
//! # }
//! ```

mod chunks;
mod driver;
mod error;
mod estimate;
mod facts;
mod follow;
mod foreign;
mod future;
mod hub;
mod layer;
mod load_report;
mod observer;
mod panic;
mod pause;
mod picking;
mod place;
mod policy;
mod record;
mod report_layer;
mod reports;
mod reweigh;
mod search;
mod service;
mod set;
mod settings;
mod skip;
mod stats;
mod stripe;
mod view;
mod wait;

pub use self::{
    error::NoEndpoints,
    foreign::{Foreign, ForeignEndpoint},
    future::ResponseFuture,
    layer::BalanceLayer,
    load_report::{LoadReport, MalformedReport},
    observer::Observer,
    policy::{
        Arrange, BoxPolicy, BoxTable, Call, Candidates, Endpoints, HashKey, Key, LeastRequest, P2c,
        Policy, Ring, RingHash, RoundRobin, Schedule,
    },
    record::Measure,
    report_layer::{Report, ReportBody, ReportFuture, ReportLayer},
    reports::LoadReports,
    service::Balance,
    settings::Settings,
    view::EndpointView,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
