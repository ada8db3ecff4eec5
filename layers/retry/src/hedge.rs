//! Several attempts at the same time: the first answer counts, the others are dropped.
//!
//! A call that is slow, but has not failed, is made once more beside the first, after a while, on
//! another endpoint (gRFC A6, `hedgingPolicy`). That shortens the tail of the latencies at the price
//! of some load, which the [`Budget`](crate::Budget) bounds: the one that retries draw on.
//!
//! ```text
//!   attempt 1  |=====================================X  dropped: cancelled
//!              |<- delay ->|
//!   attempt 2              |==========X failed: UNAVAILABLE
//!   attempt 3                         |======> the answer
//!                                     at once
//! ```
//!
//! | Question | Answer |
//! |---|---|
//! | Readiness | as of [`Retry`](crate::Retry): always ready once the inner service is; hedges ready a clone inside the call, one after another |
//! | Clones | share one budget and one measure of latency with all services of the layer |
//! | Dropped futures | drop all attempts under way; a hedge that was paid for and not made is paid back |
//! | Errors it adds | [`AttemptTimedOut`](crate::AttemptTimedOut), where it keeps the deadline |
//! | Place it | where the retry would stand, which it contains: a call is hedged or tried again, never both |
//!
//! # What is hedged
//!
//! Calls that may be made twice: their [`CallOptions`](ziggurat_core::CallOptions) say so, or their
//! HTTP method, or the [`retry::Settings`](crate::Settings); with [`any_call`](Settings::any_call)
//! also those of which nobody says anything. All others, those that [`methods`](Settings::methods)
//! leaves out, and those that serve another call's further attempt ([`chain`](crate::chain)) go the
//! way of the [`RetryLayer`](crate::RetryLayer) that the layer was made [`over`](HedgeLayer::over).
//! Each method may have settings of its own: [`by_method`](HedgeLayer::by_method).
//!
//! # What follows what
//!
//! | What happened | What follows |
//! |---|---|
//! | nothing, for the [delay](Settings::delay) | the next attempt, beside the others |
//! | a success, or the headers of an answer | the others are dropped |
//! | a failure whose code is in [`non_fatal`](Settings::non_fatal) | the next attempt, at once; the others go on |
//! | RESOURCE_EXHAUSTED with a pushback | the same, when the server says |
//! | any other failure of a server | the others are dropped, and it is the answer |
//! | a `Rejection` that a layer decided | no further attempt; the others go on |
//! | a pushback of so many milliseconds | the next attempt after exactly that, then the delay again |
//! | a pushback that is negative or nonsense, that the deadline leaves no time for, or above a minute without one | no further attempt; the others go on |
//! | never sent; refused unseen (once) | sent again as the same attempt, without the budget |
//! | the budget is empty | no further attempt; the others go on |
//! | the body outgrows what can be kept | no further attempt; who is ahead goes on, the others are dropped |
//! | all have failed | the last failure is the answer; one of a server rather than one from here |
//!
//! Whoever is dropped has been cancelled: to a [record](ziggurat_core::Record) neither success nor
//! failure nor a sample of latency.
//!
//! # Example
//!
//! ```
//! use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_retry::hedge::{Delay, HedgeLayer, Settings};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower::BoxError> {
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//!
//! let settings = Settings::new()
//!     .delay(Delay::Fixed(Duration::from_millis(50)))?
//!     .any_call(true);
//! let service = ServiceBuilder::new()
//!     .layer(HedgeLayer::values(settings))
//!     .service(service_fn(|name: &'static str| async move {
//!         let number = CALLS.fetch_add(1, Relaxed) + 1;
//!         if number == 1 {
//!             // This one hangs.
//!             std::future::pending::<()>().await;
//!         }
//!         Ok::<_, BoxError>(format!("hello, {name}, from {number}"))
//!     }));
//!
//! assert_eq!(service.oneshot("world").await?, "hello, world, from 2");
//! # Ok(())
//! # }
//! ```

mod attempts;
mod future;
mod heat;
mod layer;
mod race;
mod service;
mod settings;
mod start;

pub(crate) use self::service::Hedging;
pub use self::{
    future::ResponseFuture,
    layer::HedgeLayer,
    service::Hedge,
    settings::{Delay, Settings},
};
