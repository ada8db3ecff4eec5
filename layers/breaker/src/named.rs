//! Circuits by their names: as many as are in use, and no more than a bound.

use crate::{
    BreakerLayer, Handle, Observer, Permit, Settings, State, circuit::Circuit, key::bounded,
    permit::Shared,
};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use ziggurat_core::{BoxError, Dice, Grpc, Live};

/// Circuits by their names; clones share them.
///
/// Looking one up takes no lock. When there are more names than the bound, a circuit goes that was not
/// asked for lately and is closed, or if there is none, another; whoever holds it keeps it, and the
/// name gets a new one the next time.
///
/// # Defaults
///
/// The same settings for every name, and at most 1,024 circuits.
///
/// ```
/// use ziggurat_breaker::{Breakers, Settings, State};
///
/// let breakers = Breakers::new(Settings::new());
/// let layer = breakers.layer("user-service");
/// breakers.handle("user-service").force_open();
/// assert_eq!(layer.handle().state(), State::ForcedOpen);
/// assert_eq!(breakers.names(), ["user-service"]);
/// ```
#[derive(Clone, Debug)]
pub struct Breakers(Arc<Named>);

pub(crate) struct Named {
    circuits: ArcSwap<HashMap<Box<str>, Arc<Entry>>>,
    /// How many were made; whoever changes the circuits does so alone.
    made: Mutex<u64>,
    most: usize,
    make: Make,
}

/// What a circuit is made of, by its name.
#[derive(Clone)]
struct Make {
    settings: Arc<dyn Fn(&str) -> Live<Settings> + Send + Sync>,
    observer: Option<Arc<dyn Fn(&str) -> Arc<dyn Observer> + Send + Sync>>,
    dice: Dice,
}

struct Entry {
    shared: Arc<Shared>,
    /// How many were made before it.
    number: u64,
    /// Again, since it was made or somebody last had to make room. Written once in a while, so that reading is cheap.
    used: AtomicBool,
}

const MOST: usize = 1_024;

// === impl Breakers ===

impl Breakers {
    /// The same settings for every name.
    #[must_use]
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        let settings = settings.into();
        Self::by(move |_| settings.clone())
    }

    /// Settings by name, asked for when a circuit is made.
    #[must_use]
    pub fn by(settings: impl Fn(&str) -> Live<Settings> + Send + Sync + 'static) -> Self {
        let make = Make {
            settings: Arc::new(settings),
            observer: None,
            dice: Dice::new(),
        };
        Self::made(MOST, make)
    }

    /// At most so many circuits, and at least one. This starts with none, as do the others below.
    #[must_use]
    pub fn most(self, circuits: usize) -> Self {
        Self::made(circuits.max(1), self.0.make.clone())
    }

    /// Tells the observer that `observer` makes of its name what happens to a circuit.
    #[must_use]
    pub fn observe_with<O: Observer>(
        self,
        observer: impl Fn(&str) -> O + Send + Sync + 'static,
    ) -> Self {
        let make = Make {
            observer: Some(Arc::new(move |name| Arc::new(observer(name)))),
            ..self.0.make.clone()
        };
        Self::made(self.0.most, make)
    }

    /// Draws jitter from `dice`.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        let make = Make {
            dice,
            ..self.0.make.clone()
        };
        Self::made(self.0.most, make)
    }

    /// Puts services behind the circuit of this name, which is made if there is none.
    #[must_use]
    pub fn layer(&self, name: &str) -> BreakerLayer {
        BreakerLayer::of(self.0.find(name), Grpc)
    }

    /// Looks at the circuit of this name, which is made if there is none, and turns it by hand.
    #[must_use]
    pub fn handle(&self, name: &str) -> Handle {
        Handle::new(Arc::clone(self.0.find(name).circuit()))
    }

    /// The names that there is a circuit for, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let circuits = self.0.circuits.load();
        let mut names: Vec<_> = circuits.keys().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    }

    pub(crate) const fn named(&self) -> &Arc<Named> {
        &self.0
    }

    fn made(most: usize, make: Make) -> Self {
        Self(Arc::new(Named {
            circuits: ArcSwap::default(),
            made: Mutex::new(0),
            most,
            make,
        }))
    }
}

// === impl Named ===

impl Named {
    /// The circuit of this name.
    pub(crate) fn find(&self, name: &str) -> Arc<Shared> {
        let name = bounded(name);
        match self.circuits.load().get(name) {
            Some(entry) => entry.take(),
            None => self.add(name),
        }
    }

    /// May a call be sent, by the circuit of this name? The circuit is asked in place: its count of
    /// references would be written by every call of every thread.
    pub(crate) fn admit(&self, name: &str) -> Result<Permit, BoxError> {
        let name = bounded(name);
        match self.circuits.load().get(name) {
            Some(entry) => entry.touch().admit(),
            None => self.add(name).admit(),
        }
    }

    #[cold]
    fn add(&self, name: &str) -> Arc<Shared> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.circuits.load();
        if let Some(entry) = before.get(name) {
            return entry.take();
        }
        let shared = Arc::new(Shared::new(self.make.circuit(name)));
        let mut circuits = HashMap::clone(&before);
        if circuits.len() >= self.most {
            make_room(&mut circuits);
        }
        let entry = Entry {
            shared: Arc::clone(&shared),
            number: *made,
            used: AtomicBool::new(false),
        };
        *made += 1;
        circuits.insert(name.into(), Arc::new(entry));
        self.circuits.store(Arc::new(circuits));
        shared
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let circuits = self.circuits.load();
        f.debug_map()
            .entries(circuits.iter().map(|(name, entry)| (name, &entry.shared)))
            .finish()
    }
}

// === impl Entry ===

impl Entry {
    fn take(&self) -> Arc<Shared> {
        Arc::clone(self.touch())
    }

    fn touch(&self) -> &Arc<Shared> {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        &self.shared
    }
}

// === impl Make ===

impl Make {
    fn circuit(&self, name: &str) -> Circuit {
        let observer = self.observer.as_ref().map(|observer| observer(name));
        Circuit::new((self.settings)(name), self.dice.clone(), observer)
    }
}

/// One goes: best one that nobody used since the last time, and that knows nothing bad.
fn make_room(circuits: &mut HashMap<Box<str>, Arc<Entry>>) {
    let worth = |entry: &Entry| {
        let is_open = entry.shared.circuit().state() != State::Closed;
        let is_used = entry.used.swap(false, Ordering::Relaxed);
        (is_open, is_used, entry.number)
    };
    let worths = circuits.iter().map(|(name, entry)| (worth(entry), name));
    let least = worths.min().map(|(_, name)| name.clone());
    if let Some(name) = least {
        circuits.remove(&name);
    }
}
