//! What requests and responses are, as far as a deadline is concerned.

mod http;
mod values;

pub use self::{http::Http, values::Values};
pub use crate::timer::Timer;

use crate::{Observer, Settings};
use std::time::Duration;
use ziggurat_core::{Deadline, clock};

/// When a call must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "it is known, or it is not yet")]
pub enum Due {
    /// By this moment, whoever asks.
    At {
        /// The moment.
        deadline: Deadline,
        /// How far it is from the moment at which the call begins.
        left: Duration,
    },
    /// This long after it has to wait for the first time. Nobody is told its deadline, so that a call
    /// that never waits asks for no time at all.
    Within(Duration),
}

/// Finds the deadline of a request, and writes it where the next layer and the peer will look.
pub trait Stamp<Req> {
    /// Is time asked for as a call begins? Then the layers inside are told the same.
    const ASKS: bool = false;

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

// === impl Due ===

impl Due {
    /// By the earlier of two: `until`, and `most` from now. `None`: neither is there.
    #[inline]
    pub(crate) fn by(until: Option<Deadline>, most: Option<Duration>) -> Option<Self> {
        if until.is_none() && most.is_none() {
            return None;
        }
        let now = clock::now();
        let until = until.map(|deadline| (deadline, deadline.remaining(now)));
        let (deadline, left) = match (until, most) {
            (Some((deadline, left)), most) if most.is_none_or(|most| left <= most) => {
                (deadline, left)
            }
            (_, most) => {
                let most = most?;
                (Deadline::after_from(most, now), most)
            }
        };
        Some(Self::At { deadline, left })
    }
}
