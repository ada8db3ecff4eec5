//! Which endpoint a call goes to: a choice that reads no clock and takes no lock.

mod p2c;
mod weights;

pub use self::p2c::P2c;
pub(crate) use self::weights::Weights;

use crate::{
    settings::Weighing,
    skip::Skip,
    stats::{Stats, UNKNOWN},
};
use http::Extensions;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use ziggurat_core::{Attempt, Availability, CallOptions, Dice, EndpointId, Reporter, State, Tried};

/// Chooses an endpoint for a call.
///
/// It is asked again, with that endpoint no longer [open](Candidates::is_open), when the one it chose
/// turns out not to take the call.
pub trait Policy: Clone + Send + Sync + 'static {
    /// The index of an endpoint that is [open](Candidates::is_open); `None` if there is none.
    fn pick(&self, among: &Candidates<'_>, call: &Call<'_>) -> Option<usize>;
}

/// The endpoints that a [`Policy`] chooses among, as they are when it is asked.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    all: &'a [Candidate],
    weights: &'a Weights,
    usual: &'a Usual,
    skip: &'a Skip,
    weighing: &'a Weighing,
    now: u64,
    /// Nobody is open, but for those that only their health is held against.
    last_resort: bool,
}

/// The load of an endpoint that is picked, averaged over the last picks.
#[derive(Debug, Default)]
pub(crate) struct Usual(AtomicU64);

/// What a [`Policy`] may know about the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    words: Option<&'a Extensions>,
    tried: Option<&'a Tried>,
}

/// One endpoint, without its service.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    stats: Arc<Stats>,
    availability: Availability,
    weight: u32,
}

// === impl Candidates ===

impl<'a> Candidates<'a> {
    pub(crate) const fn new(
        all: &'a [Candidate],
        weights: &'a Weights,
        usual: &'a Usual,
        skip: &'a Skip,
        weighing: &'a Weighing,
        now: u64,
    ) -> Self {
        Self {
            all,
            weights,
            usual,
            skip,
            weighing,
            now,
            last_resort: false,
        }
    }

    /// The same, where those are open, too, that only their health is held against.
    pub(crate) const fn as_last_resort(mut self) -> Self {
        self.last_resort = true;
        self
    }

    /// How many endpoints there are, open or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Is there no endpoint?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name of an endpoint.
    ///
    /// # Panics
    ///
    /// As every method here: if there is no such index.
    #[must_use]
    pub fn id(&self, index: usize) -> &'a EndpointId {
        self.all[index].stats.id()
    }

    /// What an endpoint is good for.
    #[must_use]
    pub fn state(&self, index: usize) -> State {
        let candidate = &self.all[index];
        let state = candidate.state();
        candidate.stats.seen(state);
        state
    }

    /// May it be chosen: is it ready, or idle, and did this call not find it busy or broken?
    ///
    /// When nobody is, the policy is asked again, and an endpoint that is connected and ejected is
    /// open: one that does badly is better than none.
    #[must_use]
    pub fn is_open(&self, index: usize) -> bool {
        let state = self.state(index);
        self.all[index].opens(state, self.last_resort) && !self.is_skipped(index)
    }

    pub(crate) fn is_skipped(&self, index: usize) -> bool {
        self.skip.contains(self.id(index))
    }

    /// What a call that goes there now has to expect: the less, the better.
    #[must_use]
    pub fn load(&self, index: usize) -> f64 {
        let Candidate { stats, weight, .. } = &self.all[index];
        stats.load(self.now, *weight, self.weighing)
    }

    /// The load that endpoints have when they are picked, on average; 0 before anything is known.
    #[must_use]
    pub fn usual_load(&self) -> f64 {
        f64::from_bits(self.usual.0.load(Ordering::Relaxed))
    }

    pub(crate) fn learn(&self, load: f64) {
        const WEIGHT: f64 = 0.125;
        if load >= UNKNOWN {
            return;
        }
        let usual = match self.usual_load() {
            0.0 => load,
            usual => usual + (load - usual) * WEIGHT,
        };
        // Relaxed, and two that learn at once may forget one of the two.
        self.usual.0.store(usual.to_bits(), Ordering::Relaxed);
    }

    /// Calls and streams that are open there.
    #[must_use]
    pub fn pending(&self, index: usize) -> u64 {
        self.all[index].stats.pending()
    }

    /// Its weight, as a part of the heaviest one's: above 0, up to 1.
    #[must_use]
    pub fn weight(&self, index: usize) -> f64 {
        let weight = self.all[index].weight;
        let heaviest = self.weights.heaviest();
        if weight == heaviest {
            return 1.0;
        }
        f64::from(weight.max(1)) / f64::from(heaviest)
    }

    /// Any endpoint, open or not; each is as likely as it is heavy. There must be one.
    pub(crate) fn draw(&self, dice: &Dice) -> usize {
        self.weights.draw(self.all.len(), dice)
    }

    /// How far a new endpoint has grown: from a tenth, at its first answer, to 1.
    #[must_use]
    pub fn grown(&self, index: usize) -> f64 {
        self.all[index].stats.grown(self.now, self.weighing)
    }
}

impl fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all).finish()
    }
}

// === impl Call ===

impl<'a> Call<'a> {
    pub(crate) fn new(words: Option<&'a Extensions>) -> Self {
        let attempt = words.and_then(|words| words.get::<Attempt>());
        Self {
            words,
            tried: attempt.map(Attempt::tried),
        }
    }

    /// Did an earlier attempt of this call go to `endpoint`?
    #[must_use]
    pub fn has_tried(&self, endpoint: &EndpointId) -> bool {
        self.tried.is_some_and(|tried| tried.contains(endpoint))
    }

    /// The key of the call, for policies that send equal keys to one endpoint.
    #[must_use]
    pub fn hash_key(&self) -> Option<u64> {
        self.words?.get::<CallOptions>()?.hash_key
    }

    pub(crate) fn note(&self, endpoint: &EndpointId) {
        if let Some(tried) = self.tried {
            tried.note(endpoint);
        }
    }
}

// === impl Candidate ===

impl Candidate {
    pub(crate) const fn new(stats: Arc<Stats>, availability: Availability, weight: u32) -> Self {
        Self {
            stats,
            availability,
            weight,
        }
    }

    pub(crate) const fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    pub(crate) const fn weight(&self) -> u32 {
        self.weight
    }

    pub(crate) fn state(&self) -> State {
        self.availability.state()
    }

    /// May it be chosen, when nobody else may?
    pub(crate) fn is_last_resort(&self) -> bool {
        self.opens(self.state(), true)
    }

    /// Is it being connected, and not after having failed to be?
    pub(crate) fn is_on_its_way(&self) -> bool {
        let state = self.state();
        self.stats.seen(state);
        state == State::Connecting && !self.stats.is_out()
    }

    fn opens(&self, state: State, last_resort: bool) -> bool {
        let said = |by| self.availability.reported(by);
        match state {
            State::Ready | State::Idle => true,
            State::Ejected if last_resort => {
                said(Reporter::Connection) == State::Ready
                    && said(Reporter::Registry) == State::Ready
                    // Who says of itself that it does not serve is not asked to.
                    && said(Reporter::Check) == State::Ready
            }
            _ => false,
        }
    }
}
