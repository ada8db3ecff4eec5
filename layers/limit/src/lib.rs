//! Tower layers that admit requests at a rate, by GCRA.
//!
//! ```text
//!        the bucket fills at `rate`
//!                  │
//!           ┌──────▼──────┐  a call takes one   ┌───────────────┐
//!  call ───▶│ 0 ... burst ├────────────────────▶│ inner service │
//!           └──────┬──────┘                     └───────────────┘
//!                  │ empty
//!                  └──▶ Limited, with the exact time until there is one
//! ```
//!
//! | | |
//! |---|---|
//! | **Readiness** | the inner service's; a permit is taken in `call`, so readiness costs none; one that fails is told by the next call, and costs none |
//! | **Clones** | share one limit, and so do all services that one layer value wraps; [`isolated`](RateLimitLayer::isolated) makes another |
//! | **Dropped futures** | give nothing back: the call may have been sent; one that still waits for its turn has taken nothing |
//! | **Errors it adds** | [`Limited`]: RESOURCE_EXHAUSTED, with the time until there is a permit; [`TooCostly`] and [`KeyTooLong`]: INVALID_ARGUMENT; [`Unready`](ziggurat_core::Unready): UNAVAILABLE, for an inner service whose readiness failed |
//! | **Place it** | on a server outside what costs anything; on a client inside retry, so that attempts count |
//!
//! In any time `t` no more than `burst + rate * t` calls are admitted: not at the edge of a window,
//! for there is none, and not after the clock jumped. A call that waits for nothing costs a look at
//! the clock and one atomic write. Where threads meet at a [`RateLimitLayer`] and the burst is large (some
//! 32 calls for every core, at most 256), each takes a piece of up to an eighth of the burst in advance, all
//! together, so that they do not write the same word. What was not used in time is gone, so the bound is as
//! exact; a burst that follows uneven load may be an eighth smaller.
//!
//! | layer | admits |
//! |---|---|
//! | [`RateLimitLayer`] | at one rate, or not at all; [`cost_with`](RateLimitLayer::cost_with) makes some calls count for more |
//! | [`QueuedLimitLayer`] | at one rate: calls [wait](RateLimitLayer::wait_in) for their turn, in order, never past their deadline |
//! | [`KeyedLimitLayer`] | at a rate for every key, by any [`KeyExtractor`], in bounded memory |
//! | [`NestedLimitLayer`] | at a rate in all and at others within it; what one refuses is spent at none |
//!
//! # Example
//!
//! ```
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_core::{BoxError, error};
//! use ziggurat_limit::{Limited, Rate, RateLimitLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(RateLimitLayer::new(Rate::per_second(1)?.burst(2)?))
//!     .service(service_fn(|name: &'static str| async move { Ok::<_, BoxError>(name) }));
//!
//! for _ in 0..2 {
//!     assert_eq!(service.clone().oneshot("hello").await?, "hello");
//! }
//! let error = service.oneshot("hello").await.unwrap_err();
//! let limited = error::find::<Limited>(&*error).ok_or("not limited")?;
//! assert!(limited.retry_after().as_secs_f64() <= 1.0);
//! # Ok(())
//! # }
//! ```

mod cost;
mod error;
mod future;
mod gcra;
mod key;
mod keyed;
mod layer;
mod nested;
mod observer;
mod queue;
mod queued;
mod rate;
mod service;
mod shared;
mod striped;
mod table;

pub use self::{
    cost::{Cost, Each},
    error::{KeyTooLong, Limited, TooCostly},
    future::ResponseFuture,
    key::{ByAddress, ByHeader, ByMethod, Forwarding, Key, KeyExtractor, MAX_KEY, key_fn},
    keyed::{KeyedLimitLayer, KeyedRateLimit},
    layer::RateLimitLayer,
    nested::{NestedLimit, NestedLimitLayer},
    observer::Observer,
    queue::Queue,
    queued::{Queued, QueuedFuture, QueuedLimit, QueuedLimitLayer, Turn},
    rate::Rate,
    service::RateLimit,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
