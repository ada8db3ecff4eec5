//! The servers of a scenario, and who of them is registered.

use super::{
    backend::{Backend, Kind},
    scenario::{Change, Scenario},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use ziggurat_core::{Dice, Instance};

/// What every subject sees of a scenario; clones are the same one.
#[derive(Clone)]
pub(crate) struct World {
    all: Arc<Mutex<Vec<Backend>>>,
    registered: watch::Sender<Vec<Instance>>,
    serves: Option<usize>,
    zones: bool,
    dice: Dice,
}

/// A server goes on for so long after it was taken out of the registry.
const GRACE: Duration = Duration::from_millis(200);

const HOME: &str = "a";
const ELSEWHERE: [&str; 2] = ["b", "c"];

// === impl World ===

impl World {
    pub(crate) fn new(scenario: &Scenario, dice: Dice) -> Self {
        let (registered, _) = watch::channel(Vec::new());
        let world = Self {
            all: Arc::default(),
            registered,
            serves: scenario.serves,
            zones: scenario.zones,
            dice,
        };
        for kind in &scenario.backends {
            world.add(*kind);
        }
        world
    }

    pub(crate) fn apply(&self, change: Change) {
        match change {
            Change::Add(kind) => self.add(kind),
            Change::Remove(nth) => {
                let gone = name(nth);
                self.registered
                    .send_modify(|all| all.retain(|one| one.id().as_str() != gone));
                self.backend(&gone).close_after(GRACE);
            }
            Change::Die(nth) => self.backend(&name(nth)).turn(true),
            Change::Revive(nth) => self.backend(&name(nth)).turn(false),
        }
    }

    pub(crate) fn registered(&self) -> watch::Receiver<Vec<Instance>> {
        self.registered.subscribe()
    }

    /// The zone that callers are in, if there are any.
    pub(crate) fn home(&self) -> Option<&'static str> {
        self.zones.then_some(HOME)
    }

    /// All that ever were.
    pub(crate) fn all(&self) -> Vec<Backend> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    /// Those that are registered now.
    pub(crate) fn live(&self) -> Vec<Backend> {
        let registered = self.registered.borrow();
        let ids = registered.iter().map(|one| one.id().as_str());
        ids.map(|id| self.backend(id)).collect()
    }

    pub(crate) fn backend(&self, id: &str) -> Backend {
        let nth: usize = id[1..].parse().expect("it was named here");
        self.all()[nth].clone()
    }

    fn add(&self, kind: Kind) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = Instance::new("users", &name(all.len()), "localhost", 80);
        all.push(Backend::new(kind, self.serves, self.dice.clone()));
        let instance = instance.expect("the name is a good one");
        let zone = match kind {
            Kind::Far(_) => ELSEWHERE[all.len() % ELSEWHERE.len()],
            _ => HOME,
        };
        let instance = instance.with_zone(zone).expect("so is its zone's");
        drop(all);
        self.registered.send_modify(|all| all.push(instance));
    }
}

fn name(nth: usize) -> String {
    format!("e{nth}")
}
