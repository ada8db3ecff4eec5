//! Who is in the service, as far as one may believe the source: a plain machine without a clock.

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use ziggurat_core::{Change, Deadline, EndpointId, Instance, clock::Instant};

/// What the source says, and what it stopped saying too suddenly to be believed at once.
#[derive(Debug)]
pub(crate) struct Members {
    grace: Duration,
    said: Set,
    /// Went, and that is not settled yet.
    leaving: Set,
    /// Until then who is leaving stays.
    hold: Option<Instant>,
    /// The most that were believed in within the last grace period, and since when.
    peak: (usize, Option<Instant>),
}

/// What was decided about those who are leaving.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// What the source says holds.
    Believed,
    /// Too many went at once; they stay for now. Told once.
    Held,
    /// They still stay.
    StillHeld,
}

/// Instances by their id, which gives everything an order.
pub(crate) type Set = BTreeMap<EndpointId, Arc<Instance>>;

/// A set below this is small enough to shrink by most of it.
const SMALL: usize = 5;
/// Shrinking to one part in so many, or less, is suspicious.
const SUSPICIOUS: usize = 5;

// === impl Members ===

impl Members {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            grace,
            said: Set::new(),
            leaving: Set::new(),
            hold: None,
            peak: (0, None),
        }
    }

    /// The source said so; `keep` tells which instances are of interest.
    pub(crate) fn apply(&mut self, change: Change, keep: impl Fn(&Instance) -> bool) {
        match change {
            Change::All(instances) => {
                let (kept, others): (Vec<_>, Vec<_>) =
                    instances.into_iter().partition(|one| keep(one));
                // Who is there and of no interest is not missing: nobody is to doubt that.
                others.iter().for_each(|one| self.part(one.id()));
                let said: Set = kept
                    .into_iter()
                    .map(|one| (one.id().clone(), one))
                    .collect();
                let before = std::mem::replace(&mut self.said, said);
                self.leaving.extend(before);
                let said = &self.said;
                self.leaving.retain(|id, _| !said.contains_key(id));
            }
            Change::Put(instance) if keep(&instance) => {
                self.leaving.remove(instance.id());
                self.said.insert(instance.id().clone(), instance);
            }
            Change::Put(instance) => self.part(instance.id()),
            Change::Remove(id) => self.remove(&id),
            Change::Left(id) => self.part(&id),
            // What comes to be known later changes nobody we know.
            _ => {}
        }
    }

    /// Decides about those who are leaving. The source has nothing more to say for now.
    pub(crate) fn settle(&mut self, now: Instant) -> Settled {
        let is_over = |hold: Instant| hold <= now;
        if !self.is_suspicious(now) || self.hold.is_some_and(is_over) {
            let waited = self.hold.take().is_some_and(is_over);
            self.leaving.clear();
            self.believe(now, waited);
            return Settled::Believed;
        }
        if self.hold.is_some() {
            return Settled::StillHeld;
        }
        self.hold = Some(Deadline::after_from(self.grace, now).instant());
        Settled::Held
    }

    /// When to settle again, if the source stays silent.
    pub(crate) const fn settle_at(&self) -> Option<Instant> {
        self.hold
    }

    /// How many the source names.
    pub(crate) fn said(&self) -> usize {
        self.said.len()
    }

    /// How many stay although the source does not name them.
    pub(crate) fn held(&self) -> usize {
        self.leaving.len()
    }

    /// All that are to be believed in.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.said.values().chain(self.leaving.values())
    }

    fn remove(&mut self, id: &EndpointId) {
        if let Some((id, instance)) = self.said.remove_entry(id) {
            self.leaving.insert(id, instance);
        }
    }

    /// It left for certain: at once, and not as one of many who vanish.
    fn part(&mut self, id: &EndpointId) {
        let was_said = self.said.remove(id).is_some();
        if self.leaving.remove(id).is_some() || was_said {
            self.peak.0 = self.peak.0.saturating_sub(1);
        }
    }

    fn is_suspicious(&self, now: Instant) -> bool {
        if self.grace.is_zero() || self.leaving.is_empty() {
            return false;
        }
        let (left, most) = (self.said.len(), self.most(now));
        left == 0 || most >= SMALL && left * SUSPICIOUS <= most
    }

    fn most(&self, now: Instant) -> usize {
        let (peak, since) = self.peak;
        let recent = since.is_some_and(|since| now.saturating_duration_since(since) <= self.grace);
        let before = if recent { peak } else { 0 };
        // Who leaves now was there a moment ago.
        before.max(self.said.len() + self.leaving.len())
    }

    fn believe(&mut self, now: Instant, waited: bool) {
        let size = self.said.len();
        // After a hold the small set is what there is: it must not be compared with the large one.
        if waited || size >= self.most(now) {
            self.peak = (size, Some(now));
        }
    }
}

#[cfg(test)]
mod tests;
