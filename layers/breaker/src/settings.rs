//! What a breaker is told: when to open, for how long, and what closes it again.

use crate::bucket::{BUCKETS, Totals};
use std::{fmt, time::Duration};
use ziggurat_core::{Backoff, Dice, InvalidSetting};

/// When a circuit opens, for how long, and what closes it again.
///
/// It opens when a failure makes the share of failures among the calls of the last `window` reach
/// `failure_ratio`, or the failures in a row reach `consecutive_failures`, whichever is first.
///
/// # Defaults
///
/// | setting | default | allowed |
/// |---|---|---|
/// | [`failure_ratio`](Self::failure_ratio) | 0.5 | above 0, up to 1 |
/// | [`minimum_calls`](Self::minimum_calls) | 20 | 1 to 65,536 |
/// | [`window`](Self::window) | 10 s | 10 ms to 1 h |
/// | [`consecutive_failures`](Self::consecutive_failures) | 5 | 1 and up, or `None` |
/// | [`open_for`](Self::open_for), [`backoff`](Self::backoff) | 5 s, doubled each time up to 60 s, 20 % jitter | 1 ms to 1 day |
/// | [`probes`](Self::probes) | 1 | 1 to 1,024 |
/// | [`successes`](Self::successes) | 2 | 1 and up |
/// | [`probe_timeout`](Self::probe_timeout) | 10 s | 1 ms to 1 day |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub(crate) failure_ratio: f64,
    pub(crate) minimum_calls: u32,
    pub(crate) window: Duration,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) backoff: Backoff,
    pub(crate) probes: u32,
    pub(crate) successes: u32,
    pub(crate) probe_timeout: Duration,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// A bucket that is full halves its counts, and must still hold so many.
const MOST_MINIMUM_CALLS: u32 = 1 << 16;
const MOST_PROBES: u32 = 1_024;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults above.
    #[must_use]
    pub fn new() -> Self {
        let open_for = Duration::from_secs(5);
        let most = Duration::from_secs(60);
        Self {
            failure_ratio: 0.5,
            minimum_calls: 20,
            window: Duration::from_secs(10),
            consecutive_failures: Some(5),
            backoff: Backoff::new(open_for, 2.0, most).unwrap_or_default(),
            probes: 1,
            successes: 2,
            probe_timeout: Duration::from_secs(10),
        }
    }

    /// Opens when this share of the calls in the window failed.
    ///
    /// # Errors
    ///
    /// If it is not above 0 and at most 1.
    pub fn failure_ratio(mut self, ratio: f64) -> Result<Self, InvalidSetting> {
        let rule = "must be above 0 and at most 1";
        check(ratio > 0.0 && ratio <= 1.0, "failure_ratio", ratio, rule)?;
        self.failure_ratio = ratio;
        Ok(self)
    }

    /// Makes nothing of the share while the window has fewer calls than this.
    ///
    /// # Errors
    ///
    /// If it is zero or above 65,536.
    pub fn minimum_calls(mut self, calls: u32) -> Result<Self, InvalidSetting> {
        let sane = (1..=MOST_MINIMUM_CALLS).contains(&calls);
        check(sane, "minimum_calls", calls, "must be from 1 to 65536")?;
        self.minimum_calls = calls;
        Ok(self)
    }

    /// How far back results count, to a sixteenth. A run of failures ends with an idle window, too.
    ///
    /// A circuit whose window is changed starts to count anew at the next failure.
    ///
    /// # Errors
    ///
    /// If it is below 10 ms or above 1 h.
    pub fn window(mut self, window: Duration) -> Result<Self, InvalidSetting> {
        let sane = (10 * MILLISECOND..=HOUR).contains(&window);
        check(sane, "window", window, "must be from 10 ms to 1 h")?;
        self.window = window;
        Ok(self)
    }

    /// Opens after so many failures in a row, whatever the share; `None` for never.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn consecutive_failures(
        mut self,
        failures: impl Into<Option<u32>>,
    ) -> Result<Self, InvalidSetting> {
        let failures = failures.into();
        let rule = "must be above zero";
        check(failures != Some(0), "consecutive_failures", 0, rule)?;
        self.consecutive_failures = failures;
        Ok(self)
    }

    /// Stays open for exactly this long, each time.
    ///
    /// # Errors
    ///
    /// If it is below 1 ms or above a day.
    pub fn open_for(self, time: Duration) -> Result<Self, InvalidSetting> {
        check_time("open_for", time)?;
        let backoff = Backoff::new(time, 1.0, time)?.jitter(0.0)?;
        Ok(Self { backoff, ..self })
    }

    /// Stays open for so long: the n-th delay the n-th time it opens since it was closed.
    ///
    /// # Errors
    ///
    /// If its longest delay is above a day.
    pub fn backoff(mut self, backoff: Backoff) -> Result<Self, InvalidSetting> {
        let max = backoff.max();
        check(max <= DAY, "backoff", max, "must be at most 1 day")?;
        self.backoff = backoff;
        Ok(self)
    }

    /// Lets so many calls try the service at a time while it is half-open.
    ///
    /// # Errors
    ///
    /// If it is zero or above 1,024.
    pub fn probes(mut self, probes: u32) -> Result<Self, InvalidSetting> {
        let sane = (1..=MOST_PROBES).contains(&probes);
        check(sane, "probes", probes, "must be from 1 to 1024")?;
        self.probes = probes;
        Ok(self)
    }

    /// Closes after so many successful probes. One that fails opens it again.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn successes(mut self, successes: u32) -> Result<Self, InvalidSetting> {
        check(successes > 0, "successes", successes, "must be above zero")?;
        self.successes = successes;
        Ok(self)
    }

    /// Lets another probe go when one has not answered for so long.
    ///
    /// # Errors
    ///
    /// If it is below 1 ms or above a day.
    pub fn probe_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        check_time("probe_timeout", timeout)?;
        self.probe_timeout = timeout;
        Ok(self)
    }

    /// Is it enough, `run` failures in a row and these in the window?
    pub(crate) fn is_enough(&self, run: u64, totals: impl FnOnce() -> Totals) -> bool {
        if self
            .consecutive_failures
            .is_some_and(|most| run >= u64::from(most))
        {
            return true;
        }
        let totals = totals();
        let calls = totals.calls();
        // A quotient, not a product: 11 of 20 is exactly the double 0.55, but 0.55 * 20 is above 11.
        calls >= u64::from(self.minimum_calls)
            && totals.failures as f64 / calls as f64 >= self.failure_ratio
    }

    /// The width of a bucket in microseconds.
    pub(crate) fn width(&self) -> u32 {
        let width = self.window.as_micros() / BUCKETS as u128;
        u32::try_from(width).unwrap_or(u32::MAX).max(1)
    }

    /// How long the circuit stays open the `streak`th time in a row.
    pub(crate) fn open_time(&self, streak: u32, dice: &Dice) -> Duration {
        self.backoff.delay(streak, dice)
    }
}

fn check_time(field: &'static str, time: Duration) -> Result<(), InvalidSetting> {
    let sane = (MILLISECOND..=DAY).contains(&time);
    check(sane, field, time, "must be from 1 ms to 1 day")
}

fn check(
    sane: bool,
    field: &'static str,
    value: impl fmt::Debug,
    rule: &'static str,
) -> Result<(), InvalidSetting> {
    if sane {
        return Ok(());
    }
    let of = "breaker settings";
    Err(InvalidSetting::new(of, field, value, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(successes: u64, failures: u64) -> Totals {
        Totals {
            successes,
            failures,
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let all = Settings::new();
        let long = Backoff::new(DAY, 2.0, 2 * DAY).unwrap();
        for (refused, field, value) in [
            (all.failure_ratio(f64::NAN), "failure_ratio", "NaN"),
            (all.failure_ratio(0.0), "failure_ratio", "0.0"),
            (all.failure_ratio(1.1), "failure_ratio", "1.1"),
            (all.minimum_calls(0), "minimum_calls", "0"),
            (all.window(Duration::ZERO), "window", "0ns"),
            (all.window(2 * HOUR), "window", "7200s"),
            (all.window(Duration::MAX), "window", "s"),
            (all.consecutive_failures(0), "consecutive_failures", "0"),
            (all.open_for(Duration::ZERO), "open_for", "0ns"),
            (all.open_for(Duration::MAX), "open_for", "s"),
            (all.backoff(long), "backoff", "172800s"),
            (all.probes(0), "probes", "0"),
            (all.successes(0), "successes", "0"),
            (all.probe_timeout(Duration::ZERO), "probe_timeout", "0ns"),
            (all.probe_timeout(Duration::MAX), "probe_timeout", "s"),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.field(), field);
            assert!(error.value().contains(value), "{error}");
            assert!(error.to_string().contains(error.rule()), "{error}");
        }
    }

    #[test]
    fn the_default_backoff_is_the_documented_one() {
        let settings = Settings::default();
        let expected = Backoff::new(Duration::from_secs(5), 2.0, Duration::from_secs(60));
        assert_eq!(settings.backoff, expected.unwrap());
    }

    #[test]
    fn the_share_counts_from_the_minimum_on_and_exactly() {
        let settings = Settings::new()
            .consecutive_failures(None)
            .and_then(|settings| settings.failure_ratio(0.55))
            .unwrap();
        for (successes, failures, enough) in [
            (0, 19, false),
            (0, 20, true),
            (9, 11, true),
            (10, 11, false),
            (1_000_000, 20, false),
        ] {
            let is = settings.is_enough(failures, || totals(successes, failures));
            assert_eq!(is, enough, "{successes} {failures}");
        }
    }

    #[test]
    fn a_run_counts_whatever_the_share() {
        let settings = Settings::new();
        assert!(!settings.is_enough(4, || totals(1_000, 4)));
        assert!(settings.is_enough(5, || totals(1_000, 5)));
    }
}
