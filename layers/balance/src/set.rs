//! The endpoints of a service: the book that the driver keeps, and the copies that calls read.

use crate::{
    chunks::{Chunks, Draft},
    facts::Facts,
    policy::{Candidate, Tally, Weights},
    stats::Stats,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use ziggurat_core::{Endpoint, EndpointId};

/// What a pick reads; never changed once it is published.
pub(crate) struct Set<E, T> {
    all: Copied<E>,
    table: T,
}

/// The endpoints of a [`Set`], before they are arranged.
pub(crate) struct Copied<E> {
    candidates: Chunks<Candidate>,
    members: Chunks<Arc<Member<E>>>,
    weights: Weights,
}

/// One endpoint with its service.
pub(crate) struct Member<E> {
    endpoint: E,
    /// It was removed or replaced: calls that have it go on, calls that wait for it look elsewhere.
    gone: AtomicBool,
}

/// What the driver writes.
pub(crate) struct Book<E> {
    index: HashMap<EndpointId, usize>,
    candidates: Draft<Candidate>,
    members: Draft<Arc<Member<E>>>,
    tally: Tally,
    /// Statistics of those who left a moment ago and may come back.
    left: HashMap<EndpointId, (u64, Arc<Stats>)>,
    facts: Arc<Facts>,
}

/// The most who left that are remembered.
const MOST_LEFT: usize = 1_024;

// === impl Set ===

impl<E, T> Set<E, T> {
    pub(crate) const fn new(all: Copied<E>, table: T) -> Self {
        Self { all, table }
    }

    pub(crate) const fn candidates(&self) -> &Chunks<Candidate> {
        &self.all.candidates
    }

    pub(crate) const fn weights(&self) -> &Weights {
        &self.all.weights
    }

    pub(crate) const fn table(&self) -> &T {
        &self.table
    }

    pub(crate) fn get(&self, index: usize) -> Option<(&Candidate, &Arc<Member<E>>)> {
        let Copied {
            candidates,
            members,
            ..
        } = &self.all;
        candidates.get(index).zip(members.get(index))
    }
}

impl<E, T> fmt::Debug for Set<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.all.candidates, f)
    }
}

// === impl Copied ===

impl<E> Copied<E> {
    pub(crate) const fn empty() -> Self {
        Self {
            candidates: Chunks::empty(),
            members: Chunks::empty(),
            weights: Weights::none(),
        }
    }

    pub(crate) const fn candidates(&self) -> &Chunks<Candidate> {
        &self.candidates
    }
}

// === impl Member ===

impl<E> Member<E> {
    pub(crate) const fn endpoint(&self) -> &E {
        &self.endpoint
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    fn leave(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

// === impl Book ===

impl<E: Endpoint> Book<E> {
    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        Self {
            index: HashMap::new(),
            candidates: Draft::new(),
            members: Draft::new(),
            tally: Tally::default(),
            left: HashMap::new(),
            facts,
        }
    }

    /// Takes `endpoint` in, in the place and with the statistics of its predecessor if it has one.
    pub(crate) fn insert(&mut self, id: EndpointId, endpoint: E) {
        let known = self.index.get(&id).copied();
        let predecessor = known.and_then(|at| self.candidates.get(at));
        let stats = match predecessor {
            Some(predecessor) => Arc::clone(predecessor.stats()),
            None => match self.left.remove(&id) {
                Some((_, stats)) => stats,
                None => Arc::new(Stats::new(id.clone(), Arc::clone(&self.facts))),
            },
        };
        let (availability, weight) = (endpoint.availability().clone(), endpoint.weight());
        let candidate = Candidate::new(stats, availability, weight);
        let member = Arc::new(Member {
            endpoint,
            gone: AtomicBool::new(false),
        });
        self.tally.add(weight);
        if let Some(at) = known {
            let old = self.candidates.replace(at, candidate);
            self.tally.take(old.weight());
            self.members.replace(at, member).leave();
        } else {
            self.index.insert(id, self.candidates.len());
            self.candidates.push(candidate);
            self.members.push(member);
        }
    }

    pub(crate) fn remove(&mut self, id: &EndpointId, now: u64) {
        let Some((id, at)) = self.index.remove_entry(id) else {
            return;
        };
        self.members.swap_remove(at).leave();
        let candidate = self.candidates.swap_remove(at);
        self.tally.take(candidate.weight());
        if let Some(moved) = self.candidates.get(at)
            && let Some(place) = self.index.get_mut(moved.stats().id())
        {
            *place = at;
        }
        if self.left.len() < MOST_LEFT {
            self.left.insert(id, (now, Arc::clone(candidate.stats())));
        }
    }

    /// A copy for calls to read.
    pub(crate) fn copy(&mut self, now: u64, memory: u64) -> Copied<E> {
        self.left
            .retain(|_, (left, _)| now.saturating_sub(*left) < memory);
        let candidates = self.candidates.copy();
        Copied {
            weights: Weights::of(&candidates, &self.tally),
            candidates,
            members: self.members.copy(),
        }
    }
}
