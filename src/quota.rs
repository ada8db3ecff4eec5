//! Rate limits that many processes share, kept on a Redis.
//!
//! ```text
//!           a process                                     Redis
//!  call ──▶ tokens that it took in advance ── a few left ──▶ GCRA or a bucket of tokens,
//!              │ none                        ◀── so many ──   in one call of a script,
//!              └──▶ asks, or is refused                       by the clock of Redis
//! ```
//!
//! | | |
//! |---|---|
//! | **Readiness** | the inner service's; a permit is taken in `call`; a readiness that fails is told by the next call. A call that asked Redis waits for it once more, until its deadline or 10 s |
//! | **Clones** | share one limit, and so do all services that one layer value wraps, and all processes that use the same rule on the same Redis |
//! | **Dropped futures** | give nothing back: what was taken of a rate is used |
//! | **Errors it adds** | those of [`ziggurat_limit`]: [`Limited`](ziggurat_limit::Limited), [`TooCostly`](ziggurat_limit::TooCostly), [`KeyTooLong`](ziggurat_limit::KeyTooLong); [`Unchecked`]: UNAVAILABLE, if Redis cannot be asked and the policy is [`OnOutage::Closed`]; [`UnknownRule`]: FAILED_PRECONDITION |
//! | **Place it** | where a limit of [`ziggurat_limit`] stands; one of those outside of it spares Redis a flood |
//!
//! No more calls are admitted, by all processes together, than `burst + rate * t` in the time `t` since
//! the first one, by Redis's clock: calls are taken before they are used. A key that is hot costs a few
//! questions to Redis in the time of a [lease](RedisQuota::lease), asked in the background, and so does one
//! whose limit is used up; all other keys cost one question a call. While Redis is out of reach or slow, a
//! policy decides ([`OnOutage`]); no call waits longer than [`timeout`](RedisQuota::timeout), and after
//! the first that waited none does until Redis answers again.
//!
//! Calls of one key are served in the order in which they find something: what Redis grants a process is there
//! for all of its calls, and a call that costs nearly the burst can be overtaken by small ones, of its own
//! process and of others, for as long as they come. Once its time is up it is
//! [`Limited`](ziggurat_limit::Limited), and may come again when the rate has brought what it costs; it is
//! no outage. What must not be overtaken has a rule of its own.
//!
//! One server is meant, or the primary of several, for a key is counted in one place. A cluster sends
//! those who ask the wrong node elsewhere (`MOVED`), which nobody here follows: for such a key, and no
//! other, the policy decides. In front of a cluster goes a proxy; or a [`prefix`](RedisQuota::prefix) with a hash tag, such as
//! `{limits}`, keeps all keys on the one node that is then named in the address. Reads of a replica are
//! of no use, as each question writes.
//!
//! # Example
//!
//! There is no Redis here, and each of two processes has its share.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt, service_fn};
//! use ziggurat::{
//!     core::{BoxError, ByResult, error},
//!     limit::{Key, Limited, Rate},
//!     quota::{OnOutage, RedisLimitLayer, RedisQuota},
//! };
//!
//! fn user<'r>(request: &'r &'static str) -> Option<Key<'r>> {
//!     Some((*request).into())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
//! let quota = RedisQuota::open(&format!("redis://{nobody}"), OnOutage::Share(2.into()))?;
//! let rate = Rate::per_second(1)?.burst(2)?;
//! // These requests are plain values, which have no deadline.
//! let layer = RedisLimitLayer::new(&quota, "login", rate, user)?.carry_with(ByResult);
//! let service = layer.layer(service_fn(|_| async { Ok::<_, BoxError>("welcome") }));
//!
//! assert_eq!(service.clone().oneshot("alice").await?, "welcome");
//! let refused = service.clone().oneshot("alice").await.unwrap_err();
//! assert!(error::find::<Limited>(&*refused).is_some());
//! assert_eq!(service.oneshot("bob").await?, "welcome");
//! assert!(!quota.is_reachable());
//! # Ok(())
//! # }
//! ```

mod driver;
mod handle;
mod layer;
mod limit;
mod observer;
mod outage;
mod peers;
mod rules;
mod script;
mod server;
mod service;
mod stock;
mod table;
#[cfg(feature = "tls")]
mod tls;
mod wait;

#[cfg(feature = "tls")]
pub use self::tls::RedisTls;
pub use self::{
    handle::RedisQuota,
    layer::RedisLimitLayer,
    observer::Observer,
    outage::{OnOutage, Unchecked},
    peers::Peers,
    rules::{OnUnknown, Rule, RuleSet, UnknownRule},
    script::Layout,
    service::RedisLimit,
};
/// The response of a [`RedisLimit`], to come.
pub use ziggurat_limit::QueuedFuture as ResponseFuture;
