//! A tower layer that tries again what may be tried again, within one budget.
//!
//! ```text
//!                              final, committed, exhausted,
//!                         no budget, no time, not repeatable
//!   call --> Calling ------------------------------------------> the last answer
//!              ^   \
//!              |    \ failed, and another attempt may follow
//!              |     v
//!          Readying <-- Waiting (backoff, or what the server asked for)
//!        a clone of the service
//! ```
//!
//! | Question | Answer |
//! |---|---|
//! | Readiness | always ready once the inner service is; if that fails, the next call tells. The first attempt goes to the instance that was polled, later ones ready a clone inside the call |
//! | Clones | share one budget and one measure of latency with all services of the layer |
//! | Dropped futures | drop the attempt under way; a retry that was paid for and not made is paid back |
//! | Errors it adds | [`AttemptTimedOut`]. All others are the last attempt's own |
//! | Place it | inside the breaker of the service and the deadline: an open circuit costs no retries. Outside the balancer: every attempt picks anew |
//!
//! # What is tried again
//!
//! | What happened | When | Why |
//! |---|---|---|
//! | [`Rejection`](ziggurat_core::Rejection), no decision, sent `Never` | always, until the deadline (10 times without one); at once, then after a backoff; no attempt, no budget | no server has seen anything |
//! | the same, sent `Unprocessed` | once, at once; no attempt, no budget. Then like an answer | the server says that it did not look |
//! | status in the headers (Trailers-Only), code in [`retry_on`](Settings::retry_on) | any call | nothing has reached the caller, and UNAVAILABLE is how a server asks for another try. It does not prove that nothing was done: a handler that has acted must answer with another code, or with a pushback of -1 |
//! | the same with RESOURCE_EXHAUSTED | only with `grpc-retry-pushback-ms` | an overloaded server has to invite the load |
//! | sent `Unknown`, or an error without a `Rejection` | idempotent calls | the server may have acted |
//! | the attempt timed out | idempotent calls | the server may have acted |
//! | HTTP 429, 502, 503, 504 not from gRPC | idempotent calls, after `Retry-After` if one of these has it | a proxy does not know how far it got |
//! | a `Rejection` that a layer decided | never | here it would be decided the same |
//! | `grpc-retry-pushback-ms` negative or nonsense | never, not even idempotent calls | the server says so |
//! | a pushback or `Retry-After` that the deadline leaves no time for; above a minute without one | never | no peer makes a call wait for ever |
//! | CANCELLED, other codes | never, unless `retry_on` names them | trying again changes nothing |
//! | response headers without a status | never | the answer is under way: committed (gRFC A6) |
//! | a body beyond [`replay_limit`](Settings::replay_limit), or for which all bodies together leave no room ([`replay_total`](Settings::replay_total)) | never | it is gone |
//! | anything but what no server has seen, in a call that serves another one's further attempt | never | whoever tries again does so in one place: [`chain`] |
//!
//! A call is idempotent if its [`CallOptions`](ziggurat_core::CallOptions) say so, and if they say
//! nothing, by its HTTP method or the [`Settings`].
//!
//! The settings are the layer's, or the method's own: [`by_method`](RetryLayer::by_method).
//!
//! Streams of requests are tried again like single ones: what was sent of the stream is sent once
//! more, and the rest follows from the caller as it comes, until the headers of an answer are here.
//!
//! # The budget
//!
//! All retries of a layer draw on one [`Budget`], which [`share`](RetryLayer::share) gives to several
//! layers, [`run`](run()) or a user's own hedging as well; a [`hedge::HedgeLayer`] shares that of the
//! layer it was made over. Its [`Rules`] are a share of the calls and a floor a
//! second, or gRPC's `retryThrottling`, and a bound on what is in flight if one is wanted.
//!
//! # What an attempt carries
//!
//! The extensions [`Attempt`](ziggurat_core::Attempt) and, if the call must be over by some time,
//! [`Deadline`](ziggurat_core::Deadline); with [`Grpc`](ziggurat_core::Grpc) also `grpc-timeout`
//! (what the call has left; a caller's own header goes out as it is, and later less what has passed
//! since) and, from the second on, `grpc-previous-rpc-attempts`. The answer says in the same header how
//! many attempts came before the one that it is of, if any did.
//!
//! What was sent again because no server had seen it is not told: gRFC A6 once had
//! `grpc-transparent-retry-attempts` for that, and has dropped it. grpc-go never sent it.
//!
//! Nobody is told of an attempt's own timeout: it bounds the wait for the head of an answer, whose
//! body may take as long as the call, and an attempt that no other can follow goes on without it.
//! Where it ends an attempt, whoever keeps a [record](ziggurat_core::Record) of that sees a timeout.
//!
//! # Retries above retries
//!
//! Where several services in a row try again, the last one would see the product of their attempts.
//! So only the one next to the trouble does: an answer that is a status and nothing else gets
//! `grpc-retry-pushback-ms: -1`, unless it has a pushback, when the layer gave up on it after another
//! attempt or because the budget was empty. An error says for itself how far the call got; a server
//! makes it an answer (`ziggurat-answer`, or a handler that hands on a `tonic::Status` as it is), with
//! the same pushback where the call may have been acted on. A handler that makes up a status of its
//! own loses both, unless [`chain::ChainLayer`] stands around it, which also hears of what
//! [`run`](run()) tried in vain. That layer also reads whether the request is a further attempt
//! itself: what the handler calls for it is then made once.
//!
//! # What it costs
//!
//! A call of plain values that succeeds at once costs a clone of the request and one reference count,
//! which threads keep apart (a second one, shared, for settings that may change), and allocates nothing.
//! No service is cloned before an attempt has failed, and a call is counted without a locked instruction
//! by the first 16 threads.
//!
//! Of an HTTP request the first attempt gets the head as it came; what is kept for a second one is
//! written on a sheet that the thread uses again: its headers as text, and a clone of its extensions if
//! they hold more than [known words](ziggurat_core::Words). That makes one allocation for a plain request,
//! what is shared of its body, and none without a body: one less than a clone of its head makes. Nothing
//! is copied of a request that can be sent only once. The one frame of a unary call is kept without
//! another.
//! [`Attempt`](ziggurat_core::Attempt) is put into the second attempt and those that follow; where the
//! first one goes a balancer notes on a [`Trail`](ziggurat_core::Trail); a hedged call is no exception. Time is read once in 64 calls of
//! a thread, unless the call has a deadline or its attempts a timeout.
//!
//! What only a later attempt or a timer needs is somewhere else, and made when it is needed: the future
//! is about 200 bytes larger than that of the inner service, and so is that of a [`hedge::Hedge`], which
//! makes one allocation for a call that may be hedged and is not answered at once.
//!
//! # Example
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_core::{Rejection, Sent};
//! use ziggurat_retry::{RetryLayer, Settings};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower::BoxError> {
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//!
//! let service = ServiceBuilder::new()
//!     .layer(RetryLayer::values(Settings::new().assume_idempotent(true)))
//!     .service(service_fn(|name: &'static str| async move {
//!         match CALLS.fetch_add(1, Relaxed) {
//!             0 | 1 => Err(Rejection::undelivered("connection lost", Sent::Unknown)),
//!             _ => Ok(format!("hello, {name}")),
//!         }
//!     }));
//!
//! assert_eq!(service.oneshot("world").await?, "hello, world");
//! assert_eq!(CALLS.load(Relaxed), 3);
//! # Ok(())
//! # }
//! ```

mod answer;
mod budget;
mod call;
pub mod chain;
mod course;
mod error;
mod failure;
mod future;
mod head;
pub mod hedge;
mod latency;
mod layer;
mod methods;
mod observer;
mod repeat;
mod replay;
mod request;
mod run;
mod service;
mod settings;
mod shared;
mod unseen;

pub use self::{
    budget::{Budget, Counted, Permit, Rules},
    error::{AttemptTimedOut, Superseded},
    failure::Failure,
    future::ResponseFuture,
    layer::RetryLayer,
    methods::Methods,
    observer::{Observer, Why},
    repeat::{Beginning, ByPredicate, Judge, Repeat, Wanted},
    replay::{ReplayBody, ReplayRoom},
    request::Kept,
    run::{Always, Failed, Heeding, Last, Policy, Retryable, run},
    service::Retry,
    settings::{AttemptTimeout, Settings},
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
