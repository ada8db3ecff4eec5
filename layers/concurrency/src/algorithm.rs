//! Finding the limit: what is known of a stretch of time, and the machine that learns from it.

mod aimd;
mod bounds;
mod gradient2;
mod vegas;

pub use self::{aimd::Aimd, gradient2::Gradient2, vegas::Vegas};

use std::time::Duration;
use ziggurat_core::clock::Instant;

/// Finds how many calls may be under way, from how the last ones went.
///
/// A plain state machine: it reads no clock and takes no lock. It is asked once a window, not once a
/// call. If it panics, its last limit stays, and it is asked no more.
pub trait Algorithm: Send + 'static {
    /// The limit as it is now; at first, the one to start with.
    fn limit(&self) -> u32;

    /// Learns from a window, and says the limit of the next.
    fn update(&mut self, window: &Window) -> u32;
}

/// How the calls of a stretch of time went.
///
/// Calls that were cancelled, that failed, or that an inner layer turned away are not in it: how long
/// they took says nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Window {
    /// When it ended.
    pub now: Instant,
    /// How long the calls that succeeded took until their answer began, on average. `None`: none did.
    pub latency: Option<Duration>,
    /// The most calls that were under way at once.
    pub in_flight: u32,
    /// Was more than one call in five dropped, or nobody answered?
    ///
    /// A call was dropped that timed out after a time in which others have an answer, or that was refused
    /// for want of room by whoever speaks for
    /// [itself](crate::ConcurrencyLayer::heed_refusals). A few are no sign: deadlines are those of the
    /// callers, and one of them, who has no patience with a method that is slow, must not take the room of
    /// all. (In Netflix's concurrency-limits any drop is a sign; Envoy's adaptive concurrency knows none.)
    pub dropped: bool,
}

// === impl Window ===

impl Window {
    /// A window in which nothing was dropped.
    #[must_use]
    pub const fn new(now: Instant, latency: Option<Duration>, in_flight: u32) -> Self {
        Self {
            now,
            latency,
            in_flight,
            dropped: false,
        }
    }

    /// Whether calls were [dropped](Self#structfield.dropped).
    #[must_use]
    pub const fn dropped(mut self, dropped: bool) -> Self {
        self.dropped = dropped;
        self
    }

    /// Was so little of the limit used that more would not have been?
    pub(crate) const fn is_idle(&self, limit: u32) -> bool {
        self.in_flight.saturating_mul(2) < limit
    }
}

#[cfg(test)]
mod tests;
