//! Time and sequence, each pair once, whichever thread asks.

use super::{
    SnowflakeError,
    parts::{MAX_SEQUENCE, pack, unpack},
};
use std::{
    cmp::Ordering::{Equal, Greater, Less},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The last time and sequence that were given out.
#[derive(Debug, Default)]
pub(super) struct Sequence(AtomicU64);

/// A time that fits into an id, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) millis: u64,
    pub(super) node: u16,
}

// === impl Sequence ===

impl Sequence {
    /// The next pair, of the time that `now` tells.
    pub(super) fn next(
        &self,
        now: impl Fn() -> Result<Time, SnowflakeError>,
    ) -> Result<(Time, u64), SnowflakeError> {
        // Acquire pairs with the Release below: the clock is read after it was by whoever was last,
        // so it cannot seem to have gone back.
        let mut last = self.0.load(Ordering::Acquire);
        loop {
            let time = now()?;
            let sequence = follow(last, time.millis)?;
            let next = pack(time.millis, sequence);
            let swap = (Ordering::AcqRel, Ordering::Acquire);
            match self.0.compare_exchange_weak(last, next, swap.0, swap.1) {
                Ok(_) => return Ok((time, sequence)),
                Err(newer) => last = newer,
            }
        }
    }
}

/// The sequence number at `now`, after `last`.
fn follow(last: u64, now: u64) -> Result<u64, SnowflakeError> {
    let (then, sequence) = unpack(last);
    match now.cmp(&then) {
        Greater => Ok(0),
        Equal if sequence < MAX_SEQUENCE => Ok(sequence + 1),
        Equal => Err(SnowflakeError::Busy),
        Less => Err(SnowflakeError::ClockWentBack {
            by: Duration::from_millis(then - now),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_within_a_millisecond_and_never_goes_back() {
        assert_eq!(follow(pack(5, 7), 5), Ok(8));
        assert_eq!(follow(pack(5, 7), 6), Ok(0));
        assert_eq!(follow(pack(5, MAX_SEQUENCE), 5), Err(SnowflakeError::Busy));
        let by = Duration::from_millis(2);
        assert_eq!(
            follow(pack(5, 7), 3),
            Err(SnowflakeError::ClockWentBack { by })
        );
    }
}
