//! What a limit is told: how many at once, who may wait and how long, and what each level may use.

use crate::{gate::Limits, line::LEVELS};
use std::{fmt, time::Duration};
use ziggurat_core::{Criticality, InvalidSetting};

/// How many calls may be under way at once, and what becomes of the others.
///
/// # Defaults
///
/// | setting | default | allowed |
/// |---|---|---|
/// | `new(limit)` | | 1 to 1,000,000 |
/// | [`queue`](Self::queue) | 0: what finds no permit is rejected at once | up to 100,000 |
/// | [`wait`](Self::wait) | 5 ms when the queue stands for more than 100 ms, 100 ms else | 1 ms to 1 min, the first no more than the second |
/// | [`share`](Self::share) | 1 for every level | above 0, up to 1; no more than that of a more critical level |
/// | [`window`](Self::window) | 100 ms | 1 ms to 1 min |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    limit: u32,
    queue: Queue,
    shares: [f64; LEVELS],
    window: Duration,
}

/// Who may wait, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Queue {
    pub(crate) length: u32,
    pub(crate) target: Duration,
    pub(crate) interval: Duration,
}

const MOST: u32 = 1_000_000;
const LONGEST: u32 = 100_000;
const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

// === impl Settings ===

impl Settings {
    /// Lets so many calls be under way at once. With an [`Algorithm`](crate::Algorithm) this is the
    /// most that it may find.
    ///
    /// # Errors
    ///
    /// If it is zero or above 1,000,000.
    pub fn new(limit: u32) -> Result<Self, InvalidSetting> {
        let rule = "must be from 1 to 1000000";
        check((1..=MOST).contains(&limit), "limit", limit, rule)?;
        Ok(Self {
            limit,
            queue: Queue {
                length: 0,
                target: 5 * MILLISECOND,
                interval: 100 * MILLISECOND,
            },
            shares: [1.0; LEVELS],
            window: 100 * MILLISECOND,
        })
    }

    /// Lets so many calls wait for a permit: in order, the more critical first. When all places are
    /// taken, a call takes that of the newest of the least critical that wait, if that is less
    /// critical than itself.
    ///
    /// # Errors
    ///
    /// If it is above 100,000.
    pub fn queue(mut self, calls: u32) -> Result<Self, InvalidSetting> {
        let rule = "must be at most 100000";
        check(calls <= LONGEST, "queue", calls, rule)?;
        self.queue.length = calls;
        Ok(self)
    }

    /// Lets a call wait up to `interval`; but only up to `target` once the queue of its level has
    /// been standing for an `interval`, not emptied by permits. Its own deadline may be earlier.
    ///
    /// # Errors
    ///
    /// If either is below 1 ms or above a minute, or `target` is above `interval`.
    pub fn wait(mut self, target: Duration, interval: Duration) -> Result<Self, InvalidSetting> {
        for (field, time) in [("target", target), ("interval", interval)] {
            let sane = (MILLISECOND..=MINUTE).contains(&time);
            check(sane, field, time, "must be from 1 ms to 1 min")?;
        }
        let rule = "must be at most the interval";
        check(target <= interval, "target", target, rule)?;
        self.queue.target = target;
        self.queue.interval = interval;
        Ok(self)
    }

    /// Lets calls of this level, and of less critical ones, in only while less than this share of the
    /// limit is taken (but one may always run): the rest is kept for what matters more.
    ///
    /// # Errors
    ///
    /// If it is not above 0 and at most 1, or more than the share of a more critical level.
    pub fn share(mut self, level: Criticality, share: f64) -> Result<Self, InvalidSetting> {
        let rule = "must be above 0 and at most 1";
        check(share > 0.0 && share <= 1.0, "share", share, rule)?;
        let at = index(level);
        let rule = "must be at most that of a more critical level";
        check(
            self.shares[..at].iter().all(|more| share <= *more),
            "share",
            share,
            rule,
        )?;
        for less in &mut self.shares[at..] {
            *less = less.min(share);
        }
        self.shares[at] = share;
        Ok(self)
    }

    /// Asks the algorithm for a new limit after this long, and ten calls at least.
    ///
    /// # Errors
    ///
    /// If it is below 1 ms or above a minute.
    pub fn window(mut self, window: Duration) -> Result<Self, InvalidSetting> {
        let sane = (MILLISECOND..=MINUTE).contains(&window);
        check(sane, "window", window, "must be from 1 ms to 1 min")?;
        self.window = window;
        Ok(self)
    }

    /// The most calls at once.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    pub(crate) const fn span(&self) -> Duration {
        self.window
    }

    pub(crate) const fn waiters(&self) -> Queue {
        self.queue
    }

    /// What a level may use of a limit.
    #[inline]
    pub(crate) fn bound(&self, level: usize, limit: u32) -> u32 {
        let share = self.shares[level];
        if share == 1.0 {
            return limit;
        }
        ((f64::from(limit) * share) as u32).max(1)
    }

    pub(crate) fn bounds(&self, limit: u32) -> Limits {
        std::array::from_fn(|level| self.bound(level, limit))
    }
}

/// The place of a level in the line: the most critical first.
pub(crate) const fn index(level: Criticality) -> usize {
    match level {
        Criticality::CriticalPlus => 0,
        Criticality::SheddablePlus => 2,
        Criticality::Sheddable => 3,
        _ => 1,
    }
}

/// Is this as it must be?
pub(crate) fn check(
    sane: bool,
    field: &'static str,
    value: impl fmt::Debug,
    rule: &'static str,
) -> Result<(), InvalidSetting> {
    if sane {
        return Ok(());
    }
    let of = "concurrency settings";
    Err(InvalidSetting::new(of, field, value, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_work_is_refused_by_name() {
        let settings = Settings::new(10).unwrap();
        let second = Duration::from_secs(1);
        for (error, field) in [
            (Settings::new(0), "limit"),
            (Settings::new(MOST + 1), "limit"),
            (settings.queue(LONGEST + 1), "queue"),
            (settings.wait(Duration::ZERO, second), "target"),
            (settings.wait(second, Duration::MAX), "interval"),
            (settings.wait(2 * second, second), "target"),
            (settings.window(Duration::ZERO), "window"),
            (settings.share(Criticality::Critical, 0.0), "share"),
            (settings.share(Criticality::Critical, 1.1), "share"),
            (settings.share(Criticality::Critical, f64::NAN), "share"),
        ] {
            assert_eq!(error.unwrap_err().field(), field);
        }
        let half = settings.share(Criticality::Critical, 0.5).unwrap();
        assert!(half.share(Criticality::Sheddable, 0.6).is_err());
    }

    #[test]
    fn a_share_bounds_its_level_and_what_is_less_critical() {
        let settings = Settings::new(10).unwrap();
        let settings = settings.share(Criticality::SheddablePlus, 0.5).unwrap();
        assert_eq!(settings.bounds(10), [10, 10, 5, 5]);
        let settings = settings.share(Criticality::Sheddable, 0.01).unwrap();
        assert_eq!(settings.bounds(10), [10, 10, 5, 1]);
    }
}
