//! What a breaker is told: when to open, for how long, and what closes it again.

mod rules;

use crate::ring;
use std::{fmt, time::Duration};
use ziggurat_core::{Backoff, InvalidSetting};

/// When a circuit opens, for how long, and what closes it again.
///
/// It opens when the share of failures among the calls in the window reaches `failure_ratio`, the
/// share of slow ones reaches that of `slow_calls`, or the failures in a row reach
/// `consecutive_failures`, whichever is first. With `adaptive` it never opens, and rejects as many
/// calls as fail instead.
///
/// # Defaults
///
/// | setting | default | allowed |
/// |---|---|---|
/// | [`failure_ratio`](Self::failure_ratio) | 0.5 | above 0, up to 1 |
/// | [`minimum_calls`](Self::minimum_calls) | 20 | 1 to 65,536 |
/// | [`window`](Self::window) or [`window_of_calls`](Self::window_of_calls) | 10 s | 10 ms to 1 h; 1 to 4,096 calls |
/// | [`slow_calls`](Self::slow_calls) | none | above 1 ms and up to a day; a share above 0, up to 1 |
/// | [`consecutive_failures`](Self::consecutive_failures) | 5 | 1 and up, or `None` |
/// | [`open_for`](Self::open_for), [`backoff`](Self::backoff) | 5 s, doubled each time up to 60 s, 20 % jitter | 1 ms to 1 day |
/// | [`probes`](Self::probes) | 1 | 1 to 1,024 |
/// | [`successes`](Self::successes) | 2 | 1 and up |
/// | [`probe_timeout`](Self::probe_timeout) | 10 s | 1 ms to 1 day |
/// | [`ramp`](Self::ramp) | none | up to 1 h |
/// | [`adaptive`](Self::adaptive) | no | a multiple from 1.05 to 100 |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub(crate) failure_ratio: f64,
    pub(crate) minimum_calls: u32,
    pub(crate) window: Span,
    pub(crate) slow: Option<Slow>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) backoff: Backoff,
    pub(crate) probes: u32,
    pub(crate) successes: u32,
    pub(crate) probe_timeout: Duration,
    pub(crate) ramp: Duration,
    pub(crate) adaptive: Option<f64>,
}

/// How far back calls count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Span {
    Time(Duration),
    Calls(u32),
}

/// Which calls are slow, and how many of them are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slow {
    pub(crate) above: Duration,
    pub(crate) ratio: f64,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// More calls say hardly more about a share.
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
            window: Span::Time(Duration::from_secs(10)),
            slow: None,
            consecutive_failures: Some(5),
            backoff: Backoff::new(open_for, 2.0, most).unwrap_or_default(),
            probes: 1,
            successes: 2,
            probe_timeout: Duration::from_secs(10),
            ramp: Duration::ZERO,
            adaptive: None,
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

    /// Makes nothing of the share while the window has fewer calls than this, or is not full yet if it
    /// is a [window of fewer calls](Self::window_of_calls).
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
        self.window = Span::Time(window);
        Ok(self)
    }

    /// Counts the last so many calls instead, however long ago they were. It costs more than a window
    /// of time where threads share the circuit, because the calls have one order.
    ///
    /// # Errors
    ///
    /// If it is zero or above 4,096.
    pub fn window_of_calls(mut self, calls: u32) -> Result<Self, InvalidSetting> {
        let sane = (1..=ring::MOST).contains(&calls);
        check(sane, "window_of_calls", calls, "must be from 1 to 4096")?;
        self.window = Span::Calls(calls);
        Ok(self)
    }

    /// Opens also when this share of the calls in the window took longer than `above`, whatever they
    /// answered. The time of a stream ends when its answer begins. A slow probe is a failed one.
    ///
    /// # Errors
    ///
    /// If `above` is below 1 ms or above a day, or the share is not above 0 and at most 1.
    pub fn slow_calls(mut self, above: Duration, ratio: f64) -> Result<Self, InvalidSetting> {
        check_time("slow_calls", above)?;
        let rule = "must be a share above 0 and at most 1";
        check(ratio > 0.0 && ratio <= 1.0, "slow_calls", ratio, rule)?;
        self.slow = Some(Slow { above, ratio });
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

    /// After it was open, lets the load grow from a tenth to the whole in this time. Zero: at once.
    ///
    /// # Errors
    ///
    /// If it is above 1 h.
    pub fn ramp(mut self, ramp: Duration) -> Result<Self, InvalidSetting> {
        check(ramp <= HOUR, "ramp", ramp, "must be at most 1 h")?;
        self.ramp = ramp;
        Ok(self)
    }

    /// Instead of opening, rejects a share of the calls: max(0, (calls - k x successes) / (calls + 1))
    /// of those in the window, the rejected ones among them (client-side throttling, Google's SRE
    /// book, "Handling Overload"). `k` is the multiple: 2 sends the service up to twice what it
    /// manages. Overload counts as a failure then. `None` for a circuit that opens.
    ///
    /// # Errors
    ///
    /// If the multiple is not from 1.05 to 100.
    pub fn adaptive(mut self, multiple: impl Into<Option<f64>>) -> Result<Self, InvalidSetting> {
        self.adaptive = multiple.into();
        if let Some(multiple) = self.adaptive {
            let sane = (1.05..=100.0).contains(&multiple);
            check(sane, "adaptive", multiple, "must be from 1.05 to 100")?;
        }
        Ok(self)
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
mod tests;
