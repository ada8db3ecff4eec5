//! The whole client stack behind one name, and the edge to tonic.
//!
//! A [`Ziggurat`] knows where services are found; its [`channel`](Ziggurat::channel) is what a
//! generated client is made of. Channels of one name share everything: what was discovered, the
//! connections, the circuit, the budget of retries.
//!
//! # What is retried, by default, and why
//!
//! | what happened to the attempt | tried again | why |
//! |---|---|---|
//! | it never left this process (no connection, message handed back) | always, elsewhere | nobody saw it |
//! | the server said that it did not look at it (GOAWAY, REFUSED_STREAM) | once | nobody acted on it |
//! | the server answered UNAVAILABLE, without a body | up to 3 attempts, elsewhere, within the budget | this is what the code asks for |
//! | the server sent a pushback | after exactly that long; never, if it says so | the server knows best |
//! | the connection broke after sending, or the attempt took too long | only if the call is [`idempotent`](RequestExt::idempotent) | the server may have acted on it |
//! | any other status, or the head of an answer has arrived | never | it is the answer |
//! | a layer of this process rejected it (open circuit, rate limit, no endpoints) | never | it was decided |
//!
//! Retries draw on one budget for each service: 20 % of the calls, and 10 a second at least.

mod body;
mod channel;
mod future;
mod gate;
mod keeper;
mod request;
mod settings;
mod stack;
mod state;
mod ziggurat;

pub use self::{
    body::Body,
    channel::{Channel, Closed, NotReady},
    future::ResponseFuture,
    request::RequestExt,
    settings::ChannelSettings,
    state::ChannelState,
    ziggurat::Ziggurat,
};
