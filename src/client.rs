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
//! | the server answered UNAVAILABLE, without a body | up to 3 attempts, elsewhere, within the budget | it is how a server asks for another try; a handler that has acted must answer with another code, or a pushback of -1 |
//! | the server sent a pushback | after exactly that long; never, if it says so (-1), if the deadline is earlier, or if it is above a minute without one | the server knows best |
//! | the connection broke after sending, or no head of an answer came within the attempt's time | only if the call is [`idempotent`](RequestExt::idempotent) | the server may have acted on it |
//! | any other status, or the head of an answer has arrived | never | it is the answer |
//! | a layer of this process rejected it (open circuit, rate limit, no endpoints) | never | it was decided |
//!
//! Retries draw on one budget for each service: 20 % of the calls, and 10 a second at least.
//!
//! Where services with retries call one another, only the one next to the trouble tries again: whoever
//! gives up answers with a pushback of -1, and so does a server whose own call was lost half way.

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
