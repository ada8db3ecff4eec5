//! What comes of comparing an endpoint with the others.

use super::Judge;
use crate::{group::lock, outliers::Detection};
use std::sync::Arc;
use ziggurat_core::{Outcome, clock::Instant};

// === impl Judge ===

impl Judge {
    /// It is an outlier among its like.
    pub(crate) fn condemn(self: &Arc<Self>, detection: Detection, now: Instant) {
        let mut inner = lock(&self.state);
        // Who went since, by itself or as another kind of outlier, does not go twice.
        if inner.standing.is_serving() {
            let service = self.group.service();
            tracing::warn!(service, endpoint = %self.id, ?detection, "endpoint is an outlier");
            self.eject(&mut inner, now);
        }
    }

    /// It is an outlier, and chance lets it stay.
    pub(crate) fn pardon(&self, detection: Detection) {
        let service = self.group.service();
        tracing::warn!(service, endpoint = %self.id, ?detection, "endpoint is an outlier, and stays");
        self.group
            .tell(|observer, service| observer.pardoned(service, &self.id, detection));
    }

    /// Counts a call for the comparison with others; one write, if anybody compares.
    pub(super) fn count(self: &Arc<Self>, outcome: Outcome) {
        let counting = self.group.sweep.is_counting();
        if outcome.is_failure() {
            if counting || self.group.begin_to_count(self.runtime.as_ref()) {
                self.counts.failure();
            }
        } else if counting && outcome.is_success() {
            self.counts.success();
        }
    }

    /// Nobody is to be ejected any more: it serves, if it did not.
    pub(crate) fn release(self: &Arc<Self>, now: Instant) {
        let mut inner = lock(&self.state);
        let verdict = inner.standing.release(now);
        self.carry_out(verdict, &mut inner, now);
    }
}
