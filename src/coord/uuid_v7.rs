//! Unique ids of 128 bits, ordered by time, for which nobody has to be asked.

use super::wall_clock::{SystemClock, WallClock};
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};
use uuid::{ContextV7, Timestamp, Uuid};

/// Makes UUIDs of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, and chance.
///
/// They need no node, so there is nothing to lose; they are twice as long as a
/// [`Snowflake`](super::Snowflake)'s. Those of one generator rise strictly, even while the clock is
/// set back, and whichever thread asks.
///
/// # Defaults
///
/// The system's clock.
///
/// # Example
///
/// ```
/// use ziggurat::coord::UuidV7;
///
/// let uuids = UuidV7::new();
/// let (first, second) = (uuids.next_id(), uuids.next_id());
/// assert!(first < second);
/// assert_eq!(first.get_version_num(), 7);
/// ```
pub struct UuidV7 {
    clock: Arc<dyn WallClock>,
    last: Mutex<Last>,
}

/// The latest time that was read, and the counter within its millisecond.
struct Last {
    time: Duration,
    context: ContextV7,
}

// === impl UuidV7 ===

impl Default for UuidV7 {
    fn default() -> Self {
        Self::new()
    }
}

impl UuidV7 {
    /// A generator of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            last: Mutex::new(Last {
                time: Duration::ZERO,
                context: ContextV7::new(),
            }),
        }
    }

    /// Reads the time of day from this clock.
    #[must_use]
    pub fn clock(self, clock: impl WallClock) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// The next one.
    #[must_use]
    pub fn next_id(&self) -> Uuid {
        let mut last = self.last.lock();
        // The context takes a time before its last one for a later one if that lies in an earlier
        // second (uuid 1.26, `ReseedingTimestamp::advance`), so it never gets to see any.
        last.time = last.time.max(self.clock.since_unix_epoch());
        let (seconds, nanos) = (last.time.as_secs(), last.time.subsec_nanos());
        let time = Timestamp::from_unix(&last.context, seconds, nanos);
        drop(last);
        Uuid::new_v7(time)
    }
}

impl fmt::Debug for UuidV7 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UuidV7").finish_non_exhaustive()
    }
}
