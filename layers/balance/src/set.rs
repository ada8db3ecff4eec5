//! The endpoints of a service: the book that the driver keeps, and the copies that calls read.

use crate::{
    chunks::{Chunks, Draft},
    facts::Facts,
    policy::{Candidate, Tally, Weights},
    stats::Stats,
};
use std::{collections::HashMap, fmt, sync::Arc};
use ziggurat_core::{Endpoint, EndpointId};

/// What a pick reads; never changed once it is published.
pub(crate) struct Set<E, T> {
    all: Copied<E>,
    table: T,
}

/// The endpoints of a [`Set`], before they are arranged.
pub(crate) struct Copied<E> {
    candidates: Chunks<Candidate>,
    /// Their services, in the same order: each is a clone that calls clone again.
    services: Chunks<E>,
    weights: Weights,
}

/// What the driver writes.
pub(crate) struct Book<E> {
    index: HashMap<EndpointId, usize>,
    candidates: Draft<Candidate>,
    services: Draft<E>,
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

    pub(crate) fn copied(&self) -> Copied<E> {
        self.all.clone()
    }

    pub(crate) const fn table(&self) -> &T {
        &self.table
    }

    pub(crate) fn get(&self, index: usize) -> Option<(&Candidate, &E)> {
        let Copied {
            candidates,
            services,
            ..
        } = &self.all;
        candidates.get(index).zip(services.get(index))
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
            services: Chunks::empty(),
            weights: Weights::none(),
        }
    }

    pub(crate) const fn candidates(&self) -> &Chunks<Candidate> {
        &self.candidates
    }
}

/// Shares what is in it.
impl<E> Clone for Copied<E> {
    fn clone(&self) -> Self {
        Self {
            candidates: self.candidates.clone(),
            services: self.services.clone(),
            weights: self.weights.clone(),
        }
    }
}

// === impl Book ===

impl<E: Endpoint> Book<E> {
    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        Self {
            index: HashMap::new(),
            candidates: Draft::new(),
            services: Draft::new(),
            tally: Tally::default(),
            left: HashMap::new(),
            facts,
        }
    }

    /// Takes `endpoint` in `now`, in the place and with the statistics of its predecessor if it has one.
    pub(crate) fn insert(&mut self, id: EndpointId, endpoint: E, now: u64) {
        let known = self.index.get(&id).copied();
        let predecessor = known.and_then(|at| self.candidates.get(at));
        let stats = match predecessor {
            Some(predecessor) => Arc::clone(predecessor.stats()),
            None => match self.left.remove(&id) {
                Some((_, stats)) => {
                    stats.come_back(now);
                    stats
                }
                None => Arc::new(Stats::new(id.clone(), Arc::clone(&self.facts))),
            },
        };
        let (availability, weight) = (endpoint.availability().clone(), endpoint.weight());
        // Calls that wait for a predecessor learn by this that it is gone.
        let candidate = Candidate::new(stats, availability, weight);
        self.tally.add(weight);
        if let Some(at) = known {
            let old = self.candidates.replace(at, candidate);
            self.tally.take(old.weight());
            self.services.replace(at, endpoint);
        } else {
            self.index.insert(id, self.candidates.len());
            self.candidates.push(candidate);
            self.services.push(endpoint);
        }
    }

    pub(crate) fn remove(&mut self, id: &EndpointId, now: u64) {
        let Some((id, at)) = self.index.remove_entry(id) else {
            return;
        };
        self.services.swap_remove(at);
        let candidate = self.candidates.swap_remove(at);
        candidate.leave();
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
            services: self.services.copy(),
        }
    }
}
