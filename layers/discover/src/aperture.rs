//! Which instances fall to which client, without anybody having to tell: deterministic aperture.
//!
//! ```text
//!  instances   0       1       2       3       4      (each a fifth of the ring, by a hash of its id)
//!              |-------|-------|-------|-------|-------|
//!  clients     |=============|============|============|
//!              0             1            2            (each begins at its third)
//! ```
//!
//! Twitter's Finagle: "Deterministic Aperture: A distributed, load balancing algorithm" (2019), and
//! `finagle-core/.../loadbalancer/aperture/DeterministicAperture.scala`. Both instances and clients
//! divide a ring into equal parts. A client takes the part that begins with its own and goes on for a
//! whole number of clients' parts, so that all instances are covered equally often; an instance that
//! is covered in part has a weight in that proportion.

use crate::adapted::{Choose, Instances};
use std::{
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};
use ziggurat_core::{Instance, InvalidSetting, Live};

/// Which of the clients this is, of how many, and how many instances it wants at least.
///
/// The clients of a service must agree on how many they are, and each have another index, from 0:
/// the ordinal of a stateful set, or an instance id. Where they do not know, a random subset
/// ([`DiscoverLayer::subset`](crate::DiscoverLayer::subset)) is as good as it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aperture {
    index: u32,
    clients: u32,
    size: NonZeroU32,
}

/// Chooses the instances that fall to a client by its [`Aperture`].
///
/// A live aperture is read whenever the instances change, and every 5 s: when clients come or go, those
/// who are left have other parts although no instance has changed.
#[derive(Debug)]
pub struct DeterministicAperture {
    aperture: Live<Aperture>,
    /// By which it was chosen last.
    chosen: Option<Aperture>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A weight is told in so many parts, for those that are covered in part.
const PARTS: f64 = 100.0;
/// Lengths on the ring closer than this are equal: they are sums of fractions.
const EPSILON: f64 = 1e-9;
/// How often to look whether a live aperture is another one.
const LOOK: Duration = Duration::from_secs(5);

// === impl Aperture ===

impl Aperture {
    /// The client of `index`, from 0, of so many `clients`, which wants at least `size` instances.
    ///
    /// # Errors
    ///
    /// If there is no client, or `index` is not below their number.
    pub fn new(index: u32, clients: u32, size: NonZeroU32) -> Result<Self, InvalidSetting> {
        let invalid = |field, value: u32, rule| InvalidSetting::new("aperture", field, value, rule);
        if clients == 0 {
            return Err(invalid("clients", clients, "must be above zero"));
        }
        if index >= clients {
            let rule = "must be below the number of clients";
            return Err(invalid("index", index, rule));
        }
        Ok(Self {
            index,
            clients,
            size,
        })
    }

    /// How much of the ring it takes, of so many instances: whole parts of clients, up to all.
    fn width(self, instances: usize) -> f64 {
        let unit = 1.0 / f64::from(self.clients);
        let wanted = f64::from(self.size.get()) / instances as f64;
        (((wanted / unit) - EPSILON).ceil().max(1.0) * unit).min(1.0)
    }

    /// How much of the instance at `index` of so many it covers, from 0 to 1.
    fn covers(self, index: usize, instances: usize) -> f64 {
        let width = self.width(instances);
        if width >= 1.0 - EPSILON {
            return 1.0;
        }
        let part = 1.0 / instances as f64;
        let begin = f64::from(self.index) / f64::from(self.clients);
        // The second round of the ring is where what begins near the end goes on.
        let at = |round: f64| {
            let from = index as f64 * part + round;
            let covered = (begin + width).min(from + part) - begin.max(from);
            covered.max(0.0)
        };
        let covered = (at(0.0) + at(1.0)) / part;
        if covered < EPSILON { 0.0 } else { covered }
    }
}

// === impl DeterministicAperture ===

impl DeterministicAperture {
    /// By this aperture.
    pub fn new(aperture: impl Into<Live<Aperture>>) -> Self {
        Self {
            aperture: aperture.into(),
            chosen: None,
            timer: None,
        }
    }
}

/// The same aperture; each stream looks for itself.
impl Clone for DeterministicAperture {
    fn clone(&self) -> Self {
        Self::new(self.aperture.clone())
    }
}

impl Choose for DeterministicAperture {
    fn choose(&mut self, all: &Instances) -> Instances {
        let aperture = self.aperture.get();
        self.chosen = Some(aperture);
        let mut ring: Vec<_> = all.iter().collect();
        // By hash: neighbours by name were often started together, and are busy together.
        ring.sort_by_key(|(id, _)| (id.token(), *id));
        let whole = aperture.width(ring.len().max(1)) >= 1.0 - EPSILON;
        let count = ring.len();
        let covered = ring
            .into_iter()
            .enumerate()
            .filter_map(|(index, (id, one))| {
                let covered = aperture.covers(index, count);
                let weighed = if whole {
                    Arc::clone(one)
                } else {
                    weighed(one, covered)
                };
                (covered > 0.0).then(|| (id.clone(), weighed))
            });
        covered.collect()
    }

    fn poll_anew(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.aperture.watched().is_none() {
            return Poll::Pending;
        }
        loop {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(LOOK)));
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
            if self.chosen != Some(self.aperture.get()) {
                return Poll::Ready(());
            }
        }
    }
}

fn weighed(one: &Arc<Instance>, covered: f64) -> Arc<Instance> {
    let parts = (covered * PARTS).round().max(1.0) as u32;
    let weight = NonZeroU32::new(one.weight().get().saturating_mul(parts));
    let weight = weight.unwrap_or(NonZeroU32::MIN);
    Arc::new(Instance::clone(one).with_weight(weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn instances(count: usize) -> Instances {
        let instance = |n| Instance::new("echo", &format!("i{n}"), "127.0.0.1", 1).unwrap();
        let all = (0..count).map(|n| Arc::new(instance(n)));
        all.map(|one| (one.id().clone(), one)).collect()
    }

    fn aperture(index: u32, clients: u32, size: u32) -> Aperture {
        Aperture::new(index, clients, NonZeroU32::new(size).unwrap()).unwrap()
    }

    fn chosen(all: &Instances, aperture: Aperture) -> Instances {
        DeterministicAperture::new(aperture).choose(all)
    }

    #[test]
    fn parts_are_whole_and_as_in_the_picture() {
        let two = |index| {
            let one = aperture(index, 3, 1);
            let covers = |at| (one.covers(at, 5) * 1_000.0).round() as u32;
            (0..5).map(covers).collect::<Vec<_>>()
        };
        // A third of five is one and two thirds of them.
        assert_eq!(two(0), [1_000, 667, 0, 0, 0]);
        assert_eq!(two(1), [0, 333, 1_000, 333, 0]);
        assert_eq!(two(2), [0, 0, 0, 667, 1_000]);
        // Who wants two takes two thirds, and the last one goes on at the beginning.
        let wide = aperture(2, 3, 2);
        let covers = (0..5).map(|at| (wide.covers(at, 5) * 1_000.0).round() as u32);
        assert_eq!(covers.collect::<Vec<_>>(), [1_000, 667, 0, 667, 1_000]);
    }

    #[test]
    fn every_instance_is_covered_equally_by_all_clients_together() {
        for (count, clients, size) in [(5, 3, 1), (10, 3, 4), (7, 11, 3), (100, 13, 12), (3, 40, 2)]
        {
            let all = instances(count);
            let mut shares: BTreeMap<_, f64> = BTreeMap::new();
            for index in 0..clients {
                let mine = chosen(&all, aperture(index, clients, size));
                assert!(mine.len() >= (size as usize).min(count), "{mine:?}");
                let total: u32 = mine.values().map(|one| one.weight().get()).sum();
                for (id, one) in mine {
                    let share = f64::from(one.weight().get()) / f64::from(total);
                    *shares.entry(id).or_default() += share;
                }
            }
            let fair = f64::from(clients) / count as f64;
            assert_eq!(shares.len(), count, "{count}, {clients}, {size}");
            for share in shares.values() {
                assert!((share / fair - 1.0).abs() < 0.03, "{share} of {fair}");
            }
        }
    }

    #[test]
    fn who_wants_all_has_all_as_they_are() {
        let all = instances(7);
        assert_eq!(chosen(&all, aperture(0, 1, 1)), all, "a single client");
        assert_eq!(chosen(&all, aperture(3, 9, 7)), all);
        assert!(chosen(&Instances::new(), aperture(3, 9, 7)).is_empty());
    }

    #[test]
    fn clients_that_cannot_be_are_refused() {
        let one = NonZeroU32::MIN;
        assert_eq!(Aperture::new(0, 0, one).unwrap_err().field(), "clients");
        assert_eq!(Aperture::new(3, 3, one).unwrap_err().field(), "index");
    }
}
