//! What one process knows of one key: the calls that it has taken from Redis and not yet used.
//!
//! ```text
//!            take                        grant of Redis
//!   call ──▶ tokens > 0 ── admit ◀────── tokens += n, for a lease's time
//!              │ few left: order more, in the background
//!              │ none: refused until Redis has more, or order and wait
//! ```
//!
//! How many are held at once doubles while half of them is used up within a quarter of the lease, and
//! halves when that takes most of it: a key that is called now and then is asked for one by one. What is
//! not used in time is lost, so no key ever gets more than its rate from Redis.

use super::script::{Grant, Want};
use std::time::Duration;
use ziggurat_limit::Rate;

/// The state of a key; times are in nanoseconds of the clock of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stock {
    tokens: u32,
    /// When the last ones came.
    since: u64,
    /// When the tokens are lost.
    until: u64,
    /// How many to hold.
    size: u32,
    /// What calls that wait have asked for.
    waiting: u32,
    refused: Option<Refused>,
    /// The local limit's theoretical arrival time, while Redis is out of reach.
    share: u64,
}

/// What Redis does not have.
#[derive(Clone, Copy, Debug)]
struct Refused {
    cost: u32,
    until: u64,
    /// When to ask all the same: the rate may be another one by then.
    ask_again: u64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Admitted.
    Admit,
    /// Admitted, and it is time to take more.
    AdmitAndOrder,
    /// To wait until this many, and no less, were taken.
    Short(u32),
    /// Refused, for so long.
    Refuse(Duration),
}

/// Above this share of the burst no process takes calls for itself at once.
const SHARE: u32 = 8;
/// For no longer than this is anybody refused without asking Redis.
const ASK_AGAIN: u64 = 500_000_000;

// === impl Stock ===

impl Stock {
    /// Takes `cost` of what is there. Whoever has `waited` for it gets it, even if that took longer than
    /// a lease.
    pub(super) fn take(&mut self, cost: u32, waited: bool, now: u64) -> Step {
        if now >= self.until && !waited {
            self.tokens = 0;
        }
        if let Some(left) = self.tokens.checked_sub(cost) {
            self.tokens = left;
            // One that is taken by ones is not hot.
            let low = self.size > 1 && left <= self.size / 2;
            return if low && self.refused(1, now).is_none() {
                Step::AdmitAndOrder
            } else {
                Step::Admit
            };
        }
        let short = cost - self.tokens;
        match self.refused(short, now) {
            Some(wait) => Step::Refuse(wait),
            None => Step::Short(short),
        }
    }

    /// Another call waits for what was ordered.
    pub(super) fn wait(&mut self, short: u32) {
        self.waiting = self.waiting.saturating_add(short);
    }

    /// How many to order, at least `least`.
    pub(super) fn order(&mut self, least: u32, rate: Rate, lease: Duration, now: u64) -> u32 {
        let (quarter, passed) = (nanos(lease) / 4, now.saturating_sub(self.since));
        let size = if now < self.until && passed < quarter {
            self.size.saturating_mul(2)
        } else if passed > 3 * quarter {
            self.size / 2
        } else {
            self.size
        };
        self.size = size.clamp(1, most(rate, lease));
        let more = self.size.saturating_sub(self.tokens);
        let want = more.max(self.waiting).max(least);
        self.waiting = 0;
        // Less than `least` is of no use, and whoever orders has seen that it is affordable.
        want.min(rate.at_once()).max(least)
    }

    /// What came of an order.
    pub(super) fn settle(&mut self, want: Want, grant: Grant, lease: Duration, now: u64) {
        if grant.granted > 0 {
            if now >= self.until {
                self.tokens = 0;
            }
            self.tokens = self.tokens.saturating_add(grant.granted);
            self.since = now;
            self.until = now.saturating_add(nanos(lease));
        }
        let wait = grant.wait.max(pause(want.rate, lease));
        let refused = Refused {
            cost: if grant.granted > 0 { 1 } else { want.least },
            until: now.saturating_add(nanos(wait)),
            ask_again: now.saturating_add(ASK_AGAIN),
        };
        self.refused = (!grant.wait.is_zero()).then_some(refused);
    }

    /// Takes `cost` of this process's share of the rate: one of so many processes.
    ///
    /// `present` reads the time anew, if that of the call does not explain what is found.
    pub(super) fn share(
        &mut self,
        rate: Rate,
        processes: usize,
        cost: u32,
        mut now: u64,
        present: impl FnOnce() -> u64,
    ) -> Result<(), Duration> {
        let processes = processes.max(1) as u128;
        // Rounded up, so that the share is never exceeded.
        let interval = (rate.period().as_nanos() * processes).div_ceil(rate.count().into());
        let burst = (u128::from(rate.at_once()) / processes).max(1);
        // One call may cost the burst of all processes.
        let furthest = |now| u128::from(now) + interval * u128::from(rate.at_once());
        let share = u128::from(self.share);
        if share > furthest(now) {
            now = present();
        }
        let most = u128::from(now) + interval * burst;
        let tat = match share > furthest(now) {
            // Another rate made it.
            true => most - interval,
            false => share.max(now.into()),
        };
        let (next, ahead) = (tat + interval * u128::from(cost), tat - u128::from(now));
        if next > most && ahead > 0 {
            // What costs more than there is at once goes when nothing is owed.
            let wait = u64::try_from(ahead.min(next - most)).unwrap_or(u64::MAX);
            return Err(Duration::from_nanos(wait));
        }
        self.share = u64::try_from(next).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Whether nothing is lost if it is forgotten.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        let refuses = self.refused.is_some_and(|refused| now < refused.until);
        (self.tokens == 0 || now >= self.until) && self.share <= now && !refuses
    }

    fn refused(&self, cost: u32, now: u64) -> Option<Duration> {
        let refused = self.refused?;
        let still = cost >= refused.cost && now < refused.until.min(refused.ask_again);
        still.then(|| Duration::from_nanos(refused.until - now))
    }
}

/// How many calls may be taken at once: what comes in a lease's time, and a share of the burst.
fn most(rate: Rate, lease: Duration) -> u32 {
    let in_a_lease = lease.as_nanos() * u128::from(rate.count()) / rate.period().as_nanos();
    let in_a_lease = u32::try_from(in_a_lease).unwrap_or(u32::MAX);
    in_a_lease.min(rate.at_once() / SHARE).max(1)
}

/// How long a key that is used up is not asked for at least, so that there are some calls to be had then
/// and not each costs a question. Until then they come together in Redis, so none is lost.
fn pause(rate: Rate, lease: Duration) -> Duration {
    let full = rate.period().as_nanos() * u128::from(rate.at_once()) / u128::from(rate.count());
    let full = Duration::from_nanos(u64::try_from(full).unwrap_or(u64::MAX));
    lease.min(full) / 8
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
