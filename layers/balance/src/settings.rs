//! What may be set, and what it is when nobody sets it.

use crate::estimate::Decay;
use std::time::Duration;
use ziggurat_core::InvalidSetting;

/// How endpoints are weighed, how long a call waits for one, and when ejections are disregarded.
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`decay`](Self::decay) | 10 s |
/// | [`penalty`](Self::penalty) | 5 s |
/// | [`slow_start`](Self::slow_start) | 10 s |
/// | [`fail_fast`](Self::fail_fast) | 1 s |
/// | [`panic_threshold_percent`](Self::panic_threshold_percent) | 50 |
/// | [`attach_picked`](Self::attach_picked) | no |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In nanoseconds; what calls need of it is in `weighing`, worked out once.
    decay: u64,
    weighing: Weighing,
    fail_fast: Duration,
    panic_threshold_percent: u8,
}

/// The scalars that weighing needs, copied by each call when it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weighing {
    pub(crate) decay: Decay,
    /// In nanoseconds, as the latencies it is added to.
    pub(crate) penalty: f32,
    pub(crate) slow_start: u64,
    brief: Brief,
}

/// What a call has to remember of a [`Weighing`] until it has ended: the decay, negative if the answer
/// is to say who gave it. Every future and every body is moved with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Brief(f32);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        let decay = nanos(Duration::from_secs(10));
        Self {
            decay,
            weighing: Weighing {
                decay: Decay::of_nanos(decay),
                penalty: nanos(Duration::from_secs(5)) as f32,
                slow_start: nanos(Duration::from_secs(10)),
                brief: Brief::new(Decay::of_nanos(decay), false),
            },
            fail_fast: Duration::from_secs(1),
            panic_threshold_percent: 50,
        }
    }

    /// Sets the time in which a latency or a failure fades to 1/e; zero: only the last one counts.
    #[must_use]
    pub const fn decay(mut self, decay: Duration) -> Self {
        self.decay = nanos(decay);
        self.weighing.decay = Decay::of_nanos(self.decay);
        self.weighing.brief = Brief::new(self.weighing.decay, self.weighing.brief.attaches());
        self
    }

    /// Sets the latency that an endpoint which fails every call seems to have, on top of its own.
    ///
    /// An endpoint that fails one call in a hundred seems slower by a hundredth of it. Zero: failing
    /// fast looks like being fast.
    #[must_use]
    pub const fn penalty(mut self, penalty: Duration) -> Self {
        self.weighing.penalty = nanos(penalty) as f32;
        self
    }

    /// Sets the time in which a new endpoint's share grows from a tenth to the whole of it, counted
    /// from its first answer; zero: at once.
    #[must_use]
    pub const fn slow_start(mut self, slow_start: Duration) -> Self {
        self.weighing.slow_start = nanos(slow_start);
        self
    }

    /// Sets how long a call that does not ask to wait for ready waits for an endpoint, counted from
    /// when there is none worth waiting for.
    ///
    /// For one that is ready but busy, a call with a deadline waits until its deadline. For one that
    /// is being connected so does any call, without a deadline for 20 s, or this bound if that is
    /// longer; but not once connecting has failed, until the endpoint has been ready again.
    #[must_use]
    pub const fn fail_fast(mut self, fail_fast: Duration) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// Disregards ejections while a smaller part of the endpoints than this may be picked (Envoy's
    /// healthy panic threshold); 0: never.
    ///
    /// An endpoint that is ejected, connected, and does not say that it does not serve is then picked
    /// like the others; those that are down or draining are not. They all count as not to be picked.
    /// Endpoints are counted when one of them has changed, at most every 10 ms, and of more than a
    /// thousand more seldom: ten thousand at most every 100 ms. A live setting counts from then on.
    ///
    /// # Errors
    ///
    /// If it is more than 100.
    pub fn panic_threshold_percent(mut self, percent: u8) -> Result<Self, InvalidSetting> {
        if percent > 100 {
            return Err(InvalidSetting::new(
                "balance settings",
                "panic_threshold_percent",
                percent,
                "must be at most 100",
            ));
        }
        self.panic_threshold_percent = percent;
        Ok(self)
    }

    /// Attaches a [`Picked`](ziggurat_core::Picked) to every answer that can carry one; it costs an
    /// allocation a call.
    #[must_use]
    pub const fn attach_picked(mut self, attach: bool) -> Self {
        self.weighing.brief = Brief::new(self.weighing.decay, attach);
        self
    }

    pub(crate) const fn wait(&self) -> Duration {
        self.fail_fast
    }

    pub(crate) const fn threshold(&self) -> u8 {
        self.panic_threshold_percent
    }

    /// How long those who left are remembered, in nanoseconds.
    pub(crate) const fn memory(&self) -> u64 {
        self.decay
    }

    #[inline]
    pub(crate) const fn weighing(&self) -> Weighing {
        self.weighing
    }
}

// === impl Weighing ===

// No part of it is ever no number.
impl Eq for Weighing {}

impl Weighing {
    #[inline]
    pub(crate) const fn brief(&self) -> Brief {
        self.brief
    }
}

// === impl Brief ===

impl Brief {
    const fn new(decay: Decay, attaches: bool) -> Self {
        let decay = decay.rate();
        Self(if attaches { -decay } else { decay })
    }

    #[inline]
    pub(crate) const fn decay(self) -> Decay {
        Decay::of_rate(self.0.abs())
    }

    pub(crate) const fn attaches(self) -> bool {
        self.0.is_sign_negative()
    }
}

/// At most what 64 bits hold: 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(duration.subsec_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_all_is_refused_by_name() {
        let settings = Settings::new();
        let refused = settings.panic_threshold_percent(101).unwrap_err();
        let named = (refused.field(), refused.value());
        assert_eq!(named, ("panic_threshold_percent", "101"));
        assert!(settings.panic_threshold_percent(100).is_ok());
    }

    #[test]
    fn a_call_remembers_what_it_needs() {
        for (decay, attach) in [(10, false), (10, true), (0, true), (u64::MAX, false)] {
            let settings = Settings::new().decay(Duration::from_secs(decay));
            let weighing = settings.attach_picked(attach).weighing();
            let brief = weighing.brief();
            assert_eq!((brief.decay(), brief.attaches()), (weighing.decay, attach));
        }
    }
}
