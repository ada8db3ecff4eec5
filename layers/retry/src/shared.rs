//! What calls share, and how they get at it without waiting for one another.

use crate::{
    Budget, Methods, Observer, Repeat, Settings, hedge::Hedging, latency::Latencies, replay::Rooms,
};
use std::{
    borrow::Borrow,
    sync::{Arc, Mutex, PoisonError},
};
use ziggurat_core::{
    Dice, KnownWord, Live,
    seat::{Apart, PerSeat},
};

/// What all calls of a service share.
pub(crate) struct Shared<M> {
    pub(crate) mode: M,
    pub(crate) tells: bool,
    pub(crate) known: Option<KnownWord>,
    pub(crate) settings: Live<Settings>,
    /// The settings, if they never change.
    pub(crate) constant: Settings,
    /// They may change, or are others for some methods.
    pub(crate) differs: bool,
    /// Those of some methods, if any have their own.
    pub(crate) methods: Option<Live<Methods<Settings>>>,
    pub(crate) dice: Dice,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) budget: Budget,
    pub(crate) state: Arc<State>,
}

/// What all clones of a service share.
pub(crate) struct Common<S, M> {
    house: Arc<House<S, M>>,
    handles: PerSeat<Handle<S, M>>,
}

/// The settings of one call, as they were when it began, and all that it shares.
pub(crate) struct Chosen<S, M> {
    /// This thread's: the count of its references is what a call writes to twice.
    handle: Handle<S, M>,
    /// `None`: those of the layer, which never change.
    watched: Option<Arc<Settings>>,
}

/// What all services of a layer share, besides the budget.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) latencies: Latencies,
    pub(crate) rooms: Rooms,
}

type Handle<S, M> = Arc<Apart<Arc<House<S, M>>>>;

struct House<S, M> {
    shared: Shared<M>,
    /// What clones for later attempts are made of: most calls need none, and a clone of a stack of
    /// layers costs a count of references for each.
    inner: Mutex<S>,
    /// Here, and not beside it: what is counted for each call is one thing.
    hedging: Hedging,
}

// === impl Shared ===

impl<M> Shared<M> {
    /// The settings of a call, if they are its method's own or may change.
    #[inline]
    fn watched<Req>(&self, request: &Req) -> Option<Arc<Settings>>
    where
        M: Repeat<Req>,
    {
        self.differs.then(|| self.look(request)).flatten()
    }

    #[inline(never)]
    fn look<Req>(&self, request: &Req) -> Option<Arc<Settings>>
    where
        M: Repeat<Req>,
    {
        let own = self.methods.as_ref().and_then(|methods| {
            let method = self.mode.method(request);
            methods.read(|methods| methods.find(method).cloned())
        });
        own.or_else(|| self.settings.watched())
    }
}

// === impl Common ===

impl<S, M> Common<S, M> {
    pub(crate) fn new(shared: Shared<M>, inner: S, hedging: Hedging) -> Self {
        let house = House {
            shared,
            inner: Mutex::new(inner),
            hedging,
        };
        Self {
            house: Arc::new(house),
            handles: PerSeat::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Shared<M> {
        &self.house.shared
    }

    /// How its calls are hedged.
    pub(crate) fn hedging(&self) -> &Hedging {
        &self.house.hedging
    }

    #[inline]
    pub(crate) fn chosen<Req>(&self, request: &Req) -> Chosen<S, M>
    where
        M: Repeat<Req>,
    {
        let handle = || Arc::new(Apart(Arc::clone(&self.house)));
        let handle = self.handles.mine(handle);
        Chosen {
            handle: Arc::clone(handle),
            watched: self.house.shared.watched(request),
        }
    }
}

// === impl Chosen ===

impl<S, M> Chosen<S, M> {
    #[inline]
    pub(crate) fn shared(&self) -> &Shared<M> {
        &self.handle.0.shared
    }

    #[inline]
    pub(crate) fn settings(&self) -> &Settings {
        match &self.watched {
            Some(settings) => settings,
            None => &self.shared().constant,
        }
    }

    /// How calls are hedged.
    #[inline]
    pub(crate) fn hedging(&self) -> &Hedging {
        &self.handle.0.hedging
    }

    /// Another service to call.
    pub(crate) fn another(&self) -> S
    where
        S: Clone,
    {
        let inner = self.handle.0.inner.lock();
        inner.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S, M> Borrow<Settings> for Chosen<S, M> {
    #[inline]
    fn borrow(&self) -> &Settings {
        self.settings()
    }
}

// === impl State ===

impl State {
    pub(crate) fn new() -> Self {
        Self {
            latencies: Latencies::new(),
            rooms: Rooms::default(),
        }
    }
}
