//! What requests and responses are, as far as a deadline is concerned.

mod http;
mod values;

pub use self::{http::Http, values::Values};
pub use crate::timer::Timer;

use crate::{Observer, Settings};
use ziggurat_core::{Deadline, clock::Instant};

/// Finds the deadline of a request, and writes it where the next layer and the peer will look.
pub trait Stamp<Req> {
    /// The deadline of `request`, which begins at `now`. `None`: nothing bounds it.
    fn stamp(
        &self,
        request: &mut Req,
        settings: Settings,
        now: Instant,
        observer: &dyn Observer,
    ) -> Option<Deadline>;

    /// Does the call serve a request, so that what it does sees the deadline as the current one?
    fn scoped(&self) -> bool {
        false
    }
}

/// Covers what comes after a response's head.
pub trait Cover<Rsp> {
    /// The response once it is covered.
    type Response;

    /// Covers `response` by what is left of its time. `None`: nothing bounds it.
    fn cover(response: Rsp, timer: Option<Timer>) -> Self::Response;
}
