//! What an endpoint weighs by its own reports, and whether that may be believed (gRFC A58).

use super::sync::{AtomicU64, Ordering::Relaxed};
use crate::reports::LoadReports;

/// The last weight, and since when there are any. All orders are relaxed, as those of its neighbours:
/// who reads one word late shares calls out late.
#[derive(Debug)]
pub(super) struct Reported {
    /// The bits of a number above zero.
    weight: AtomicU64,
    /// When it came; 0: none has. In nanoseconds, as the next.
    updated: AtomicU64,
    /// Since when there were reports, without a gap as long as a weight counts; 0: since the next.
    since: AtomicU64,
}

// === impl Reported ===

impl Reported {
    pub(super) fn new() -> Self {
        Self {
            weight: AtomicU64::new(0),
            updated: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    pub(super) fn update(&self, weight: f64, now: u64) {
        let now = now.max(1);
        self.weight.store(weight.to_bits(), Relaxed);
        self.updated.store(now, Relaxed);
        let _ = self.since.compare_exchange(0, now, Relaxed, Relaxed);
    }

    /// It was away: what it says has to last for a while before it is believed again.
    pub(super) fn start_over(&self) {
        self.since.store(0, Relaxed);
    }

    /// The weight that counts now.
    pub(super) fn weight(&self, now: u64, reports: &LoadReports) -> Option<f64> {
        let updated = self.updated.load(Relaxed);
        if updated == 0 {
            return None;
        }
        if now.saturating_sub(updated) >= reports.expiration() {
            self.start_over();
            return None;
        }
        let since = self.since.load(Relaxed);
        let is_new = since == 0 || now.saturating_sub(since) < reports.blackout();
        if is_new && reports.blackout() > 0 {
            return None;
        }
        Some(f64::from_bits(self.weight.load(Relaxed)))
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn reports() -> LoadReports {
        LoadReports::new()
    }

    #[test]
    fn a_weight_counts_after_the_blackout_and_until_it_expires() {
        let reported = Reported::new();
        let at = |second: u64| reported.weight(second * SECOND, &reports());
        assert_eq!(at(0), None, "no report");
        reported.update(7.0, 5 * SECOND);
        assert_eq!((at(5), at(14)), (None, None), "blackout");
        reported.update(8.0, 14 * SECOND);
        assert_eq!((at(15), at(193)), (Some(8.0), Some(8.0)));
        assert_eq!(at(194), None, "three minutes after the last report");
        // Once it has expired the blackout begins anew.
        reported.update(9.0, 200 * SECOND);
        assert_eq!((at(209), at(210)), (None, Some(9.0)));
    }

    #[test]
    fn a_gap_that_nobody_looked_at_is_none() {
        // As in gRPC: expiry is noticed where the weight is looked up, which is every second.
        let reported = Reported::new();
        reported.update(7.0, SECOND);
        reported.update(8.0, 500 * SECOND);
        assert_eq!(reported.weight(500 * SECOND, &reports()), Some(8.0));
    }

    #[test]
    fn who_was_away_is_believed_after_another_blackout() {
        let reported = Reported::new();
        reported.update(7.0, SECOND);
        assert!(reported.weight(20 * SECOND, &reports()).is_some());
        reported.start_over();
        assert_eq!(reported.weight(20 * SECOND, &reports()), None);
        reported.update(8.0, 21 * SECOND);
        let at = |second: u64| reported.weight(second * SECOND, &reports());
        assert_eq!((at(30), at(31)), (None, Some(8.0)));
    }

    #[test]
    fn without_a_blackout_the_first_report_counts() {
        let reported = Reported::new();
        let reports = reports().blackout_period(Duration::ZERO);
        reported.update(7.0, 0);
        assert_eq!(reported.weight(0, &reports), Some(7.0));
        reported.start_over();
        assert_eq!(reported.weight(0, &reports), Some(7.0));
    }
}
