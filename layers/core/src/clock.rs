//! The one clock: tokio's, so that a paused runtime tests everything.
//!
//! What decides takes `now` as an argument; only the service around it asks here. This is the one
//! place where the cost of reading the time can be changed for every layer at once.

pub use tokio::time::Instant;

/// The present moment, on the monotonic clock that `tokio::time::pause` stops.
///
/// Outside a runtime it is the system's monotonic clock; it never panics.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
