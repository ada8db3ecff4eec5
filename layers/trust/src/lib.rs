//! A tower layer that takes from a request what its sender may not say.
//!
//! ```text
//!              who sends it?
//!                    │
//!            ┌───────┴────────┐
//!       a stranger        a peer that is believed
//!            │                │
//!   headers that steer        │        as it came
//!   us are dropped, clamped   │
//!   or bounded                │
//!            └───────┬────────┘
//!                    ▼
//!        deadline, limits, shedding, trace
//! ```
//!
//! | | |
//! |---|---|
//! | **Readiness** | the inner service's |
//! | **Clones** | share their settings, which is all there is |
//! | **Dropped futures** | are the inner service's own |
//! | **Errors it adds** | none: what is not believed is dropped, and counted by an [`Observer`] |
//! | **Place it** | on a server outside whatever reads a header: deadline, limits, shedding |
//!
//! | what a request says | from a stranger |
//! |---|---|
//! | `x-criticality`, and that member of `baggage` | at most [`Settings::criticality`] (Critical) |
//! | `ziggurat-chain-stop`, `grpc-previous-rpc-attempts` | dropped |
//! | `baggage` | dropped |
//! | `traceparent` | its sampled flag is cleared; dropped if malformed, as `tracestate` then is |
//! | `x-request-id`, `x-trace-id` | dropped, unless UUID or hex text |
//! | `forwarded`, `x-forwarded-*`, `x-real-ip` and what others write for them | dropped, unless the peer is a [proxy](Settings::proxies) |
//! | `grpc-timeout`, and a [header](Settings::timeout_header) of yours | at most [`Settings::timeout`] (none) |
//! | [`Deadline`](ziggurat_core::Deadline) and the like in extensions | kept: they are of this process |
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, net::SocketAddr, time::Duration};
//! use tower::{Layer, ServiceExt, service_fn};
//! use ziggurat_core::Criticality;
//! use ziggurat_trust::{Peer, Settings, TrustLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new().timeout(Duration::from_secs(30))?;
//! // Behind axum the address is in `ConnectInfo<SocketAddr>`, behind tonic in `TcpConnectInfo`.
//! let layer = TrustLayer::internal(["10.0.0.0/8".parse()?], settings)
//!     .peer_with(|extensions| Peer::at(extensions.get().map(SocketAddr::ip)));
//! let service = layer.layer(service_fn(|request: http::Request<()>| async move {
//!     Ok::<_, Infallible>(Criticality::of(&request))
//! }));
//!
//! let from = |ip: [u8; 4]| {
//!     let request = http::Request::builder().extension(SocketAddr::from((ip, 4_711)));
//!     request.header(Criticality::HEADER, "CRITICAL_PLUS").body(())
//! };
//! let (friend, stranger) = (from([10, 0, 0, 7])?, from([192, 0, 2, 7])?);
//! assert_eq!(service.clone().oneshot(friend).await?, Criticality::CriticalPlus);
//! assert_eq!(service.oneshot(stranger).await?, Criticality::Critical);
//! # Ok(())
//! # }
//! ```

mod ids;
mod layer;
mod networks;
mod observer;
mod peer;
mod rules;
mod service;
mod settings;

pub use self::{
    layer::TrustLayer,
    observer::{Distrusted, Observer},
    peer::{Peer, PeerExtractor, Unknown},
    service::Trust,
    settings::Settings,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
