//! The zone that a client is in, and how much of its calls go elsewhere when that does not suffice.

mod spill;

use self::spill::{Local, Spill};
use crate::{
    adapted::{Choose, Instances},
    feedback::{Feedback, Roll},
};
use std::{
    collections::BTreeSet,
    fmt,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep_until};
use ziggurat_core::{EndpointId, Instance, clock};

/// Chooses the instances of one zone, and others in so far as that zone does not suffice.
///
/// The zone takes this part of the calls, at most all of them:
///
/// ```text
/// the least of   1.4 * up / here          some of its instances are out (Envoy's factor)
///                up / minimum             it has few
///                2 * zones * up / all     it has less than half of an even share
/// ```
///
/// where `here` are the instances in the zone, `up` those of them that are not known to be out, `all`
/// those of every zone, and `zones` how many zones there are. The part is rounded down to tenths.
/// Instances elsewhere are not even connected to while the zone takes it all. When it does not, they
/// are added with weights, so that the rest of the calls goes there. A part that shrinks is followed
/// at once, one that grows when it has been larger for the [`calm`](Self::calm).
///
/// Who is out is known by [`Feedback`]; without it all are up. A zone without instances takes
/// nothing, and those elsewhere have the weights that they always had.
///
/// # Defaults
///
/// At least 3 instances, 10 s of calm, no feedback.
pub struct Zones {
    zone: Box<str>,
    minimum: NonZeroU32,
    calm: Duration,
    feedback: Option<Feedback>,
    roll: Option<Arc<Roll>>,
    spill: Spill,
    changed: Option<Pin<Box<OwnedNotified>>>,
    timer: Option<Pin<Box<Sleep>>>,
}

const MINIMUM: NonZeroU32 = NonZeroU32::new(3).unwrap();
const CALM: Duration = Duration::from_secs(10);
/// What all weights of a service sum up to when they are told apart by zone.
const PARTS: f64 = 10_000.0;

// === impl Zones ===

impl Zones {
    /// Prefers the instances of `zone`.
    pub fn new(zone: impl Into<Box<str>>) -> Self {
        Self {
            zone: zone.into(),
            minimum: MINIMUM,
            calm: CALM,
            feedback: None,
            roll: None,
            spill: Spill::default(),
            changed: None,
            timer: None,
        }
    }

    /// So many instances that are up can take all calls.
    #[must_use]
    pub const fn minimum(mut self, instances: NonZeroU32) -> Self {
        self.minimum = instances;
        self
    }

    /// Gives a zone that does better its calls back after so long.
    #[must_use]
    pub const fn calm(mut self, calm: Duration) -> Self {
        self.calm = calm;
        self
    }

    /// Learns from there who is out.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }

    fn is_here(&self, one: &Instance) -> bool {
        one.zone() == Some(&self.zone)
    }

    fn out(&self) -> BTreeSet<EndpointId> {
        let roll = self.roll.iter();
        roll.flat_map(|roll| roll.out()).collect()
    }

    /// The part of the calls, in tenths, that the zone takes from now on.
    fn tenths(&mut self, all: &Instances, out: &BTreeSet<EndpointId>) -> u32 {
        let zones: BTreeSet<_> = all.values().filter_map(|one| one.zone()).collect();
        let here = all.values().filter(|one| self.is_here(one));
        let (mut known, mut up) = (0, 0);
        for one in here {
            known += 1;
            up += u32::from(!out.contains(one.id()));
        }
        let local = Local {
            known,
            up,
            zones: zones.len(),
            all: all.len(),
        };
        let now = clock::now();
        let tenths = self
            .spill
            .follow(local.tenths(self.minimum), now, self.calm);
        let due = self.spill.due(self.calm);
        self.timer = due.map(|due| Box::pin(sleep_until(due)));
        tenths
    }
}

impl Choose for Zones {
    fn begin(&mut self, service: &str) {
        self.roll = self.feedback.as_ref().map(|all| all.roll(service));
    }

    fn choose(&mut self, all: &Instances) -> Instances {
        // Before the look: it hears of every change after it.
        let changed = self.roll.as_ref().map(|roll| Arc::clone(&roll.changed));
        self.changed = changed.map(|changed| Box::pin(changed.notified_owned()));
        let out = self.out();
        let tenths = self.tenths(all, &out);
        let kept = |one: &Arc<Instance>| (one.id().clone(), Arc::clone(one));
        if tenths == 0 {
            return all.values().map(kept).collect();
        }
        if tenths == 10 {
            let here = all.values().filter(|one| self.is_here(one));
            return here.map(kept).collect();
        }
        let weight = |one: &Instance| f64::from(one.weight().get());
        let sum = |here: bool| -> f64 {
            let side = all.values().filter(|one| self.is_here(one) == here);
            let up = side.filter(|one| !out.contains(one.id()));
            up.map(|one| weight(one)).sum::<f64>().max(1.0)
        };
        let share = f64::from(tenths) / 10.0;
        let (here, there) = (share / sum(true), (1.0 - share) / sum(false));
        let weigh = |one: &Arc<Instance>| {
            let scale = if self.is_here(one) { here } else { there };
            let parts = (weight(one) * scale * PARTS).round().max(1.0) as u32;
            let weight = NonZeroU32::new(parts).unwrap_or(NonZeroU32::MIN);
            Arc::new(Instance::clone(one).with_weight(weight))
        };
        all.values()
            .map(|one| (one.id().clone(), weigh(one)))
            .collect()
    }

    fn poll_anew(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let changed = self.changed.as_mut();
        let changed = changed.is_some_and(|changed| changed.as_mut().poll(cx).is_ready());
        let timer = self.timer.as_mut();
        let due = timer.is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if !changed && !due {
            return Poll::Pending;
        }
        // What is over is not polled again.
        (self.changed, self.timer) = (None, None);
        Poll::Ready(())
    }
}

/// The same settings; each stream finds out for itself.
impl Clone for Zones {
    fn clone(&self) -> Self {
        Self {
            zone: self.zone.clone(),
            minimum: self.minimum,
            calm: self.calm,
            feedback: self.feedback.clone(),
            roll: None,
            spill: Spill::default(),
            changed: None,
            timer: None,
        }
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zones")
            .field("zone", &self.zone)
            .field("minimum", &self.minimum)
            .field("calm", &self.calm)
            .field("feedback", &self.feedback)
            .finish_non_exhaustive()
    }
}
