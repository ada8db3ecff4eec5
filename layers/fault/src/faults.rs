//! Which faults are injected, and how often.

use crate::{Abort, Observer, orders, plan::Plan};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{num::NonZeroU64, ops::Range, time::Duration};
use ziggurat_core::{Dice, InvalidSetting};

/// Which faults are injected, and how often; a [`Live`](ziggurat_core::Live) value, so that a game
/// day begins and ends while calls run.
///
/// Each kind has a share of the requests (0 to 1), and a dice of its own: a call may be delayed and
/// then aborted. Set again, a kind replaces what was set.
///
/// # Defaults
///
/// None; every request may be chosen; headers order nothing; no bound on active faults.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    delay: Option<Chance<Range<Duration>>>,
    abort: Option<Chance<Abort>>,
    bandwidth: Option<Chance<NonZeroU64>>,
    cut: Option<Chance<u64>>,
    only: Vec<(HeaderName, Option<HeaderValue>)>,
    ordered: f64,
    most: Option<usize>,
}

/// Something that happens to a share of the requests.
#[derive(Clone, Debug)]
struct Chance<T> {
    share: f64,
    of: T,
}

// === impl Faults ===

impl Faults {
    /// No faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A `share` of the calls ends so, and does not reach the service.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1.
    pub fn abort(mut self, abort: Abort, share: f64) -> Result<Self, InvalidSetting> {
        self.abort = Some(Chance::new("abort", share, abort)?);
        Ok(self)
    }

    /// A `share` of the calls waits for `delay` first.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1.
    pub fn delay(self, delay: Duration, share: f64) -> Result<Self, InvalidSetting> {
        self.delay_between(delay..delay, share)
    }

    /// A `share` of the calls waits first, for a time from `range.start`, included, to `range.end`,
    /// excluded, each as likely.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1, or the range ends before it starts.
    pub fn delay_between(
        mut self,
        range: Range<Duration>,
        share: f64,
    ) -> Result<Self, InvalidSetting> {
        if range.end < range.start {
            let rule = "must not end before it starts";
            return Err(invalid("delay_between", &range, rule));
        }
        self.delay = Some(Chance::new("delay", share, range)?);
        Ok(self)
    }

    /// A `share` of the response bodies comes at most this fast, in bytes a second.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1, or the bandwidth is 0.
    pub fn bandwidth(mut self, bytes: u64, share: f64) -> Result<Self, InvalidSetting> {
        let Some(bytes) = NonZeroU64::new(bytes) else {
            return Err(invalid("bandwidth", bytes, "must be above zero"));
        };
        self.bandwidth = Some(Chance::new("bandwidth", share, bytes)?);
        Ok(self)
    }

    /// A `share` of the response bodies breaks off rather than exceed this many bytes: with 0 at their
    /// first. What comes through comes in whole frames. A body that is no longer than that ends as it
    /// should.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1.
    pub fn cut_after(mut self, bytes: u64, share: f64) -> Result<Self, InvalidSetting> {
        self.cut = Some(Chance::new("cut_after", share, bytes)?);
        Ok(self)
    }

    /// Only requests with this header may be chosen: with this value, or any if it is `None`. Said
    /// again, all of them must be there.
    #[must_use]
    pub fn only(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        self.only.push((name, value));
        self
    }

    /// Requests may order faults for themselves, in the headers that Envoy's fault filter and gRFC
    /// A33 define: `x-envoy-fault-abort-request`, `x-envoy-fault-abort-grpc-request`,
    /// `x-envoy-fault-delay-request` (ms), `x-envoy-fault-throughput-response` (KiB/s), each with
    /// its `-percentage`, of which at most `share` counts. What is ordered replaces what is set.
    ///
    /// For callers that are trusted: a request can make itself last up to 5 minutes.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1.
    pub fn ordered(mut self, share: f64) -> Result<Self, InvalidSetting> {
        self.ordered = checked("ordered", share)?;
        Ok(self)
    }

    /// At most so many calls have a fault at a time, so that a game day stays one.
    #[must_use]
    pub const fn at_most(mut self, active: usize) -> Self {
        self.most = Some(active);
        self
    }

    pub(crate) fn most(&self) -> usize {
        self.most.unwrap_or(usize::MAX)
    }

    /// What happens to a request with these headers.
    pub(crate) fn plan(&self, headers: &HeaderMap, dice: &Dice, told: &dyn Observer) -> Plan {
        if !self.chooses(headers) {
            return Plan::default();
        }
        let mut plan = Plan {
            delay: drawn(&self.delay, dice).map(|range| dice.duration(range.clone())),
            abort: drawn(&self.abort, dice).copied(),
            bandwidth: drawn(&self.bandwidth, dice).copied(),
            cut: drawn(&self.cut, dice).copied(),
        };
        if self.ordered > 0.0 {
            orders::follow(&mut plan, headers, self.ordered, dice, told);
        }
        plan
    }

    fn chooses(&self, headers: &HeaderMap) -> bool {
        self.only.iter().all(|(name, wanted)| match wanted {
            None => headers.contains_key(name),
            Some(wanted) => headers.get_all(name).iter().any(|value| value == wanted),
        })
    }
}

// === impl Chance ===

impl<T> Chance<T> {
    fn new(field: &'static str, share: f64, of: T) -> Result<Self, InvalidSetting> {
        let share = checked(field, share)?;
        Ok(Self { share, of })
    }
}

fn drawn<'c, T>(chance: &'c Option<Chance<T>>, dice: &Dice) -> Option<&'c T> {
    let chance = chance.as_ref()?;
    (dice.fraction() < chance.share).then_some(&chance.of)
}

fn checked(field: &'static str, share: f64) -> Result<f64, InvalidSetting> {
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(invalid(field, share, "must be a share from 0 to 1"))
}

fn invalid(field: &'static str, value: impl std::fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("faults", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_work_is_refused_by_name() {
        let second = Duration::from_secs(1);
        for (refused, field, value) in [
            (Faults::new().abort(Abort::lost(), 1.1), "abort", "1.1"),
            (Faults::new().delay(second, -0.1), "delay", "-0.1"),
            (Faults::new().cut_after(1, f64::NAN), "cut_after", "NaN"),
            (Faults::new().ordered(2.0), "ordered", "2.0"),
            (Faults::new().bandwidth(0, 1.0), "bandwidth", "0"),
            (
                Faults::new().delay_between(second..Duration::ZERO, 1.0),
                "delay_between",
                "1s..0ns",
            ),
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.field(), error.value()), (field, value));
        }
    }

    #[test]
    fn each_kind_takes_its_share() {
        let faults = Faults::new()
            .abort(Abort::lost(), 0.25)
            .and_then(|faults| faults.delay(Duration::from_secs(1), 0.5))
            .and_then(|faults| faults.cut_after(0, 0.0))
            .and_then(|faults| faults.bandwidth(1, 1.0))
            .unwrap();
        let dice = Dice::seeded(3);
        let plans: Vec<_> = (0..10_000)
            .map(|_| faults.plan(&HeaderMap::new(), &dice, &()))
            .collect();
        let share = |has: fn(&Plan) -> bool| {
            let having = plans.iter().filter(|plan| has(plan)).count();
            having as f64 / plans.len() as f64
        };
        assert!((share(|plan| plan.abort.is_some()) - 0.25).abs() < 0.02);
        assert!((share(|plan| plan.delay.is_some()) - 0.5).abs() < 0.02);
        assert!(share(|plan| plan.cut.is_some()) == 0.0);
        assert!(share(|plan| plan.bandwidth.is_some()) == 1.0);
    }
}
