//! What a call that begins or ends tells of its endpoint.

use super::{
    Stats,
    cost::{in_a_row, is_faded},
    sync::Ordering::Relaxed,
};
use crate::estimate::{Decay, Estimate, Tick};
use std::time::Duration;

/// No server can keep its clients away for longer than this.
const LONGEST_PUSHBACK: Duration = Duration::from_secs(60);

// === impl Stats ===

impl Stats {
    #[inline]
    pub(crate) fn start(&self, now: u64, decay: Decay) {
        self.flow.start();
        if self.is_faded(now, decay) {
            // 0 stands for "not yet".
            self.probed_at.store(now.max(1), Relaxed);
        }
    }

    #[inline]
    pub(crate) fn finish(&self) {
        self.flow.end();
    }

    /// A call took this long.
    #[inline]
    pub(crate) fn observe(&self, elapsed: u64, now: u64, decay: Decay) {
        if self.streak.load(Relaxed) != 0 {
            self.streak.store(0, Relaxed);
        }
        self.update_latency(elapsed as f32, now, decay, false);
    }

    /// A call took at least this long; how long it would have taken nobody knows.
    pub(crate) fn observe_at_least(&self, elapsed: u64, now: u64, decay: Decay) {
        if elapsed > 0 {
            self.update_latency(elapsed as f32, now, decay, true);
        }
    }

    /// The head of an answer took this long, and its end may be far away.
    pub(crate) fn observe_head(&self, elapsed: u64, now: u64, decay: Decay) {
        if self.is_faded(now, decay) {
            self.update_latency(elapsed as f32, now, decay, false);
        }
    }

    /// It asks to be left alone for this long.
    pub(crate) fn push_back(&self, retry_after: Duration, now: u64, decay: Decay) {
        let nanos = crate::settings::nanos(retry_after.min(LONGEST_PUSHBACK));
        self.observe_at_least(nanos, now, decay);
    }

    /// A call failed.
    pub(crate) fn fail(&self, now: u64, decay: Decay) {
        self.failed.fetch_add(1, Relaxed);
        let streak = self.streak.fetch_add(1, Relaxed);
        let tick = Tick::at(now);
        let latency = Estimate::unpack(self.latency.load(Relaxed));
        let since_answer = latency.map(|latency| tick.since(latency.tick()));
        let _ = self.failure.fetch_update(Relaxed, Relaxed, |word| {
            let failure = Estimate::unpack(word);
            let since_failure = failure.map(|failure| tick.since(failure.tick()));
            // A sample weighs as much as the time since the one before; the first one weighs all.
            let passed = [since_answer, since_failure].into_iter().flatten().min();
            let kept = passed.map_or(0.0, |ticks| decay.kept(ticks));
            let weight = (1.0 - kept).max(in_a_row(streak));
            let faded = failure.map_or(0.0, |failure| failure.at(tick, decay));
            let rate = (faded + weight).min(1.0);
            Some(Estimate::new(rate, tick).pack())
        });
        self.be_born(now);
    }

    /// Is nothing known, or nothing any more?
    #[inline]
    fn is_faded(&self, now: u64, decay: Decay) -> bool {
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        is_faded(latency, failure, now, decay)
    }

    #[inline]
    fn update_latency(&self, sample: f32, now: u64, decay: Decay, only_up: bool) {
        let tick = Tick::at(now);
        let update = |word: u64| {
            let fed = match Estimate::unpack(word) {
                None => Estimate::new(sample, tick),
                // Many calls end within one tick, and only the highest has anything to say: no write.
                Some(known) if known.tick() == tick && sample <= known.value() => return None,
                Some(known) if only_up && sample <= known.at(tick, decay) => return None,
                Some(known) => known.peak(sample, tick, decay),
            };
            (fed.pack() != word).then_some(fed.pack())
        };
        let before = self.latency.fetch_update(Relaxed, Relaxed, update);
        if before == Ok(Estimate::NONE) {
            self.be_born(now);
        }
    }

    fn be_born(&self, now: u64) {
        // 0 stands for "not yet".
        let _ = self.born.compare_exchange(0, now.max(1), Relaxed, Relaxed);
    }
}
