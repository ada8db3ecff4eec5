//! How much the way from the peer carries: a plain machine without a clock.

use crate::driver::FIRST_WINDOW;
use std::time::Duration;
use ziggurat_core::clock::Instant;

/// Estimates the product of bandwidth and delay, as gRPC does: what came between a PING and its
/// answer was on its way at once. If that was most of what was allowed, more would have been.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    /// What is allowed, in bytes.
    window: u32,
    /// What came since the measurement began.
    bytes: usize,
    /// The time for there and back, smoothed.
    delay: Duration,
    /// The most that was measured, in bytes a second.
    most: f64,
    /// When the next measurement may begin.
    next: Instant,
    pause: Duration,
    /// So many measurements in a row said nothing new.
    calm: u32,
}

/// Beyond it the socket's own buffers are the limit.
const LARGEST: u32 = 16 << 20;
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

// === impl Bandwidth ===

impl Bandwidth {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            window: FIRST_WINDOW,
            bytes: 0,
            delay: Duration::ZERO,
            most: 0.0,
            next: now,
            pause: PAUSE,
            calm: 0,
        }
    }

    /// So many bytes came. Is the peer to be asked?
    pub(crate) fn read(&mut self, bytes: usize, now: Instant) -> bool {
        let measures = now >= self.next;
        if measures {
            self.bytes += bytes;
        }
        measures
    }

    /// A PING came back; answers how much is to be allowed, if that is more than it was.
    pub(crate) fn answered(&mut self, asked_at: Instant, now: Instant) -> Option<u32> {
        let bytes = std::mem::take(&mut self.bytes);
        let delay = now.saturating_duration_since(asked_at);
        self.delay = match self.delay {
            Duration::ZERO => delay,
            before => before * 7 / 8 + delay / 8,
        };
        let wider = self.wider(bytes);
        match wider {
            Some(window) => {
                self.window = window;
                self.pause /= 2;
                self.calm = 0;
            }
            None => self.rest(),
        }
        self.next = now + self.pause;
        wider
    }

    fn wider(&mut self, bytes: usize) -> Option<u32> {
        // A measurement takes up to one and a half times the delay: the PING waits for what is ahead.
        let most = bytes as f64 / (self.delay.as_secs_f64() * 1.5).max(f64::EPSILON);
        if most < self.most || bytes < self.window as usize / 3 * 2 {
            return None;
        }
        self.most = most;
        let window = u32::try_from(bytes * 2).unwrap_or(LARGEST).min(LARGEST);
        (window > self.window).then_some(window)
    }

    /// The longer nothing changes, the less it is asked.
    fn rest(&mut self) {
        self.calm += 1;
        if self.calm >= 2 && self.pause < LONGEST_PAUSE {
            self.calm = 0;
            self.pause = (self.pause * 4).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::clock;

    const MS: Duration = Duration::from_millis(1);

    /// Answers what one measurement of `delay` makes of so many bytes.
    fn measure(
        bandwidth: &mut Bandwidth,
        now: &mut Instant,
        bytes: usize,
        delay: Duration,
    ) -> Option<u32> {
        *now = bandwidth.next.max(*now);
        let asked_at = *now;
        assert!(bandwidth.read(bytes, *now));
        *now += delay;
        bandwidth.answered(asked_at, *now)
    }

    #[test]
    fn a_window_that_is_full_on_a_long_way_grows_up_to_the_most() {
        let mut now = clock::now();
        let mut bandwidth = Bandwidth::new(now);
        let mut window = FIRST_WINDOW;
        for _ in 0..20 {
            match measure(&mut bandwidth, &mut now, window as usize, 50 * MS) {
                Some(wider) => {
                    assert!(wider > window);
                    window = wider;
                }
                None => assert_eq!(window, LARGEST),
            }
        }
        assert_eq!(window, LARGEST);
    }

    #[test]
    fn a_window_that_is_not_full_stays_and_is_measured_less_and_less() {
        let mut now = clock::now();
        let mut bandwidth = Bandwidth::new(now);
        for _ in 0..20 {
            let wider = measure(&mut bandwidth, &mut now, 20_000, 50 * MS);
            assert_eq!(wider, None);
        }
        assert_eq!(bandwidth.pause, LONGEST_PAUSE);
        assert!(!bandwidth.read(1, now), "it rests");
    }

    #[test]
    fn a_full_window_that_carried_less_than_before_stays() {
        let mut now = clock::now();
        let mut bandwidth = Bandwidth::new(now);
        let window = measure(&mut bandwidth, &mut now, 65_535, 10 * MS).unwrap();
        assert_eq!(window, 131_070);
        for _ in 0..10 {
            let wider = measure(&mut bandwidth, &mut now, window as usize, 1_000 * MS);
            assert_eq!(wider, None);
        }
    }

    #[test]
    fn a_way_without_delay_is_no_division_by_zero() {
        let mut now = clock::now();
        let mut bandwidth = Bandwidth::new(now);
        let wider = measure(&mut bandwidth, &mut now, usize::MAX / 2, Duration::ZERO);
        assert_eq!(wider, Some(LARGEST));
    }
}
