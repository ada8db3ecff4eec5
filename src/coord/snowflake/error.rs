//! Why there is no id.

use crate::coord::session::Lost;
use std::time::Duration;

/// Why there is no id right now, or never again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnowflakeError {
    /// All 4 096 ids of this millisecond are made.
    #[error("all ids of this millisecond are made")]
    Busy,
    /// The clock stands before the last id that was made.
    #[error("the clock went back by {by:?}")]
    ClockWentBack {
        /// By how much, to the millisecond.
        by: Duration,
    },
    /// The clock stands before the epoch, or more than 41 bits of milliseconds (69 years) after it.
    #[error("the time {unix_millis} ms does not fit into an id")]
    OutOfRange {
        /// What the clock says, in milliseconds since 1970.
        unix_millis: u64,
    },
    /// The node is lost, or may be.
    #[error(transparent)]
    Lost(#[from] Lost),
}
