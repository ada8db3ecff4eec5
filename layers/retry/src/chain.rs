//! Whether the request that is served here is itself a further attempt, told in both directions.
//!
//! ```text
//!            ziggurat-chain-stop: 1, or grpc-previous-rpc-attempts > 0
//!   caller ----------------------------------------------------------> handler ----> its own calls:
//!          <----------------------------------------------------------              made once, and
//!            grpc-retry-pushback-ms: -1, if a call of the handler's                  marked as well
//!            was given up
//! ```
//!
//! A row of services that all try again multiplies the attempts at the last one: three attempts each
//! make 27 of them three services down. [`ChainLayer`], on a server, ends that in both directions.
//! What the handler calls on behalf of somebody's further attempt is made once: whoever tries again
//! has to do so in one place. And when all tries that a call of the handler's was worth were made, a
//! failure that the handler answers with says so, even if the handler made it up itself.
//!
//! `tokio::spawn` loses it: use [`spawn`].

mod body;
mod layer;
mod local;

use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use ziggurat_core::grpc;

pub(crate) use self::local::{give_up, is_again};
pub use self::{
    body::Body,
    layer::{ChainLayer, ResponseFuture, WithChain},
    local::{Scope, current, spawn},
};

/// Says that a request is made to serve a further attempt of another call.
pub const STOP: HeaderName = HeaderName::from_static("ziggurat-chain-stop");
/// What [`STOP`] says.
pub(crate) const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// What is known of the chain of calls that the request served here belongs to; clones share it.
#[derive(Clone, Debug)]
pub struct Chain(Arc<Link>);

#[derive(Debug)]
struct Link {
    again: bool,
    /// A call that was made here is not worth another try.
    given_up: AtomicBool,
}

// === impl Chain ===

impl Chain {
    /// The request is a further attempt, or serves one: `again`.
    #[must_use]
    pub fn new(again: bool) -> Self {
        let given_up = AtomicBool::new(false);
        Self(Arc::new(Link { again, given_up }))
    }

    /// What the headers of a request say.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let attempts = headers.get(grpc::PREVIOUS_ATTEMPTS);
        let attempted = attempts.is_some_and(|value| value != "0");
        Self::new(attempted || headers.contains_key(STOP))
    }

    /// Is the request a further attempt, or does it serve one?
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.0.again
    }

    /// Has a call that was made here been given up, after all tries that it was worth?
    #[must_use]
    pub fn has_given_up(&self) -> bool {
        self.0.given_up.load(Relaxed)
    }

    /// A call that was made here is not worth another try.
    pub fn give_up(&self) {
        // Relaxed: read by the task that the handler runs in, or by nobody.
        self.0.given_up.store(true, Relaxed);
    }

    /// Runs `future` as part of this chain.
    pub const fn scope<F: Future>(self, future: F) -> Scope<F> {
        Scope::new(Some(self), future)
    }
}
