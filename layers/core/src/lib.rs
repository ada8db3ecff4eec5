//! The words that every ziggurat layer speaks, and nothing else.
//!
//! Layers never import each other: what one has to tell another is said in a type of this crate,
//! carried by a request extension, a response extension, an error's `source()` or a shared value.
//!
//! | word | says | spoken by |
//! |---|---|---|
//! | [`Outcome`], [`Record`], [`Recorder`], [`expire`] | how a call ended, told once | breaker, health, balance, retry |
//! | [`Classify`], [`Carry`] | where an outcome is read from, where words are carried | every layer that looks into a call |
//! | [`Rejection`], [`Code`], [`Sent`], [`BrokenRequest`], [`Unready`], [`Readiness`] | why a call was not answered, and how far it got | every layer that adds an error |
//! | [`Deadline`] | when a call must be over | deadline, retry, balance, connect |
//! | [`CallOptions`] | what the caller wants of this one call | client, deadline, retry, balance |
//! | [`Words`] | what most requests carry, kept for a second one | retry |
//! | [`Criticality`] | how much it matters that the call is answered | trust, whatever sheds |
//! | [`Attempt`], [`Tried`], [`Trail`] | the how-manieth try this is, and where the others went | retry, balance, trace |
//! | [`Picked`] | which endpoint answered | balance, metrics |
//! | [`Instance`], [`Resolve`], [`Change`] | where a service is to be found | registry, discover |
//! | [`Endpoint`], [`Availability`], [`Named`] | what a balancer may pick | connect, health, balance |
//! | [`Live`], [`InvalidSetting`] | a setting that may change while calls run; one that never works | every layer with settings |
//! | [`contain`](contain()) | that an observer panicked, to nobody | who tells one in a task, a destructor or under a lock |
//! | [`seat`] | a place for each thread, where it writes alone | whatever counts every call |
//! | [`grpc`] | the headers and content types of gRPC | whoever reads or writes one |
//! | [`headers`] | whether a header is among the few of an answer, and how long `Retry-After` says | whoever reads one |
//! | [`clock`], [`Dice`], [`Backoff`], [`Jitter`] | the one clock, the one source of chance, the one delay | everyone |
//!
//! # Example
//!
//! ```
//! use ziggurat_core::{Code, Rejection, error};
//!
//! let rejection = Rejection::decided(Code::ResourceExhausted, "rate limit exceeded");
//! let error: error::BoxError = rejection.into();
//! assert_eq!(error::find::<Rejection>(&*error).map(Rejection::code), Some(Code::ResourceExhausted));
//! ```

mod attempt;
mod availability;
mod backoff;
mod broken;
mod classify;
pub mod clock;
mod code;
mod contain;
mod criticality;
mod deadline;
mod dice;
mod endpoint;
pub mod error;
pub mod grpc;
pub mod headers;
mod instance;
mod live;
mod options;
mod outcome;
mod readiness;
mod record;
mod rejection;
mod resolve;
pub mod seat;
mod setting;
mod trail;
mod unready;
mod whereabouts;
mod words;

pub use self::{
    attempt::{Attempt, Tried},
    availability::{Availability, Reporter, State},
    backoff::{Backoff, Jitter},
    broken::BrokenRequest,
    classify::{ByResult, Carry, Classify, Grpc, Http, Observed, Recorded},
    code::{Code, UnknownCode},
    contain::contain,
    criticality::{Criticality, UnknownCriticality},
    deadline::Deadline,
    dice::Dice,
    endpoint::{Endpoint, Named, Picked},
    error::BoxError,
    instance::{EndpointId, Instance},
    live::{Live, LiveSetter},
    options::CallOptions,
    outcome::Outcome,
    readiness::Readiness,
    record::{Record, Recorder, expire, expire_read},
    rejection::{Rejection, Sent},
    resolve::{Change, Changes, Resolve},
    setting::InvalidSetting,
    trail::{Following, Trail},
    unready::Unready,
    whereabouts::{Stage, Whereabouts},
    words::{KnownWord, Words},
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
