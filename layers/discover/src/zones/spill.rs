//! The decision: what part of the calls a zone takes. It reads no clock.

use std::{num::NonZeroU32, time::Duration};
use ziggurat_core::{Deadline, clock::Instant};

/// What there is in the zone, and all around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) known: u32,
    pub(super) up: u32,
    pub(super) zones: usize,
    pub(super) all: usize,
}

/// The part that is in force.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spill {
    /// `None`: nothing was decided yet.
    tenths: Option<u32>,
    /// A larger part is due, and since when.
    better: Option<Instant>,
}

/// Envoy's `overprovisioning_factor`: a zone can take 40 % more than it has to.
const SPARE: f64 = 1.4;

// === impl Local ===

impl Local {
    /// The part of the calls that it can take, in tenths.
    pub(super) fn tenths(self, minimum: NonZeroU32) -> u32 {
        let up = f64::from(self.up);
        let of = |whole: f64| if whole > 0.0 { up / whole } else { 0.0 };
        let part = (SPARE * of(f64::from(self.known)))
            .min(of(f64::from(minimum.get())))
            .min(2.0 * self.zones as f64 * of(self.all as f64));
        // A little more than nothing is not lost to what fractions cannot say.
        ((part.min(1.0) * 10.0 + 1e-9).floor()) as u32
    }
}

// === impl Spill ===

impl Spill {
    /// It could take so many tenths now; what it takes.
    pub(super) fn follow(&mut self, able: u32, now: Instant, calm: Duration) -> u32 {
        let before = self.tenths.unwrap_or(able);
        let since = (able > before).then(|| self.better.unwrap_or(now));
        let over = since.is_some_and(|since| later(since, calm) <= now);
        self.better = since.filter(|_| !over);
        let tenths = if over || able < before { able } else { before };
        self.tenths = Some(tenths);
        tenths
    }

    /// When the larger part comes in force.
    pub(super) fn due(&self, calm: Duration) -> Option<Instant> {
        self.better.map(|since| later(since, calm))
    }
}

/// However long it is: what no clock can tell is far enough.
fn later(now: Instant, time: Duration) -> Instant {
    Deadline::after_from(time, now).instant()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::clock;

    const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_zone_takes_what_it_can() {
        for (known, up, zones, all, tenths, why) in [
            (10, 10, 3, 30, 10, "all are up"),
            (10, 8, 3, 30, 10, "1.12 of what it needs"),
            (10, 7, 3, 30, 9, "0.98"),
            (10, 5, 3, 30, 7, "0.7"),
            (10, 0, 3, 30, 0, "nobody is up"),
            (2, 2, 3, 6, 6, "two of the three it needs"),
            (3, 3, 3, 9, 10, "just enough"),
            (3, 3, 3, 27, 6, "a third of an even share"),
            (0, 0, 2, 20, 0, "nobody is there"),
            (0, 0, 0, 0, 0, "nobody is anywhere"),
            (5, 5, 1, 5, 10, "there is no other zone"),
        ] {
            let local = Local {
                known,
                up,
                zones,
                all,
            };
            assert_eq!(local.tenths(THREE), tenths, "{why}");
        }
    }

    #[test]
    fn worse_is_followed_at_once_and_better_when_it_lasts() {
        let (mut spill, start) = (Spill::default(), clock::now());
        let calm = 10 * SECOND;
        let mut follow = |able, seconds: u32| {
            let tenths = spill.follow(able, start + seconds * SECOND, calm);
            let due = spill.due(calm).map(|due| (due - start).as_secs());
            (tenths, due)
        };
        assert_eq!(follow(10, 0), (10, None));
        assert_eq!(follow(4, 1), (4, None));
        assert_eq!(follow(10, 2), (4, Some(12)));
        assert_eq!(follow(8, 11), (4, Some(12)), "better all the time");
        assert_eq!(follow(4, 11), (4, None), "it did not last");
        assert_eq!(follow(9, 13), (4, Some(23)));
        assert_eq!(follow(10, 23), (10, None));
        assert_eq!(follow(0, 23), (0, None));
    }
}
