//! What requests and responses are, as far as a deadline is concerned.

mod http;
mod values;

pub use self::{http::Http, values::Values};
pub use crate::timer::Timer;

use crate::{Observer, Settings};
use std::time::Duration;
use ziggurat_core::{Deadline, clock::Instant};

/// When a call must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "it is known, or it is not yet")]
pub enum Due {
    /// By this moment, whoever asks.
    At {
        /// The moment.
        deadline: Deadline,
        /// When the call began.
        started: Instant,
    },
    /// This long after it has to wait for the first time. Nobody is told its deadline, so that a call
    /// that never waits asks for no time at all.
    Within(Duration),
}

/// Finds the deadline of a request, and writes it where the next layer and the peer will look.
pub trait Stamp<Req> {
    /// When `request` must be over. `None`: nothing bounds it.
    fn stamp(&self, request: &mut Req, settings: &Settings, observer: &dyn Observer)
    -> Option<Due>;

    /// Does the call serve a request, so that what it does sees the deadline as the current one?
    fn scoped(&self) -> bool {
        false
    }
}

/// Covers what comes after a response's head.
pub trait Cover<Rsp> {
    /// The response once it is covered.
    type Response;

    /// Covers `response` by what is left of its time, which it may take. `None`: nothing bounds it.
    fn cover(response: Rsp, timer: &mut Option<Timer>) -> Self::Response;
}
