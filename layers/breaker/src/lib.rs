//! A tower layer that stops calling a service that keeps failing, and probes it until it heals.
//!
//! ```text
//!   too many failures in the window, or in a row
//!   Closed ────────────────────────────────────▶ Open ◀─────────┐
//!     ▲                                           │             │
//!     │                                  its time is over,      │ a probe failed
//!     │                                    a call comes         │
//!     │                                           ▼             │
//!     └──────── enough probes succeeded ────── HalfOpen ────────┘
//! ```
//!
//! By [settings](Settings) it also opens when calls are slow, counts the last so many calls instead of
//! those of a time, takes the load back little by little (`Recovering`), or never opens and rejects the
//! share of calls that the service does not manage (`Throttling`). By hand it is forced open, put out
//! of use, or made to count only.
//!
//! | type | has a circuit for |
//! |---|---|
//! | [`BreakerLayer`] | the service, which is what its layer value wraps |
//! | [`Breakers`] | each name that is asked for |
//! | [`KeyedBreakerLayer`] | each key of a request: its [method](ByMethod), its tenant |
//! | [`GateLayer`] | each endpoint below a balance: an open one is not picked, and fails no call |
//!
//! | | |
//! |---|---|
//! | **Readiness** | the inner service's, whatever the state; nothing is taken; one that fails is a failure that the next call tells |
//! | **Clones** | share one circuit, and so do all services that one layer value wraps; [`isolated`](BreakerLayer::isolated) makes another |
//! | **Dropped futures** | count for nothing, unless their deadline had passed: that is a failure; a probe gives its place back |
//! | **Errors it adds** | [`Open`]: UNAVAILABLE, with the time until the next probe; [`Throttled`]: UNAVAILABLE; [`Unready`](ziggurat_core::Unready): UNAVAILABLE, for an inner service whose readiness failed |
//! | **Place it** | outside retry, so that an open circuit costs none and a call counts once; outside the deadline, so that a timeout counts |
//!
//! A result that was admitted in an earlier state never moves the present one. Overload and calls
//! that their caller dropped are neither successes nor failures. The share is looked at whenever a
//! call fails. While the circuit is closed a call takes no lock and allocates nothing.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_breaker::{BreakerLayer, Open, Settings};
//! use ziggurat_core::{BoxError, ByResult, error};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let settings = Settings::new()
//!     .consecutive_failures(2)?
//!     .open_for(Duration::from_secs(60))?;
//! let service = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(settings).classify_with(ByResult))
//!     .service(service_fn(|_: &str| async { Err::<(), BoxError>("down".into()) }));
//!
//! for _ in 0..2 {
//!     assert_eq!(service.clone().oneshot("hello").await.unwrap_err().to_string(), "down");
//! }
//! let error = service.oneshot("hello").await.unwrap_err();
//! let open = error::find::<Open>(&*error).ok_or("the circuit is closed")?;
//! assert!(open.retry_after() <= Some(Duration::from_secs(60)));
//! # Ok(())
//! # }
//! ```

mod bucket;
mod circuit;
mod error;
mod events;
mod future;
mod gate;
mod handle;
mod key;
mod keyed;
mod layer;
mod machine;
mod named;
mod news;
mod observer;
mod pace;
mod permit;
mod ring;
mod run;
mod service;
mod settings;
mod switch;
mod window;
mod word;

pub use self::{
    error::{Open, Throttled},
    events::{Event, Events},
    future::ResponseFuture,
    gate::{Gate, GateFuture, GateLayer, Gated, GatedFuture, Pass},
    handle::{Counts, Handle, State},
    key::{ByMethod, Key},
    keyed::{KeyedBreaker, KeyedBreakerLayer},
    layer::BreakerLayer,
    named::Breakers,
    observer::Observer,
    permit::Permit,
    service::Breaker,
    settings::Settings,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
