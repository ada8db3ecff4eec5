//! The endpoints of a service: the book that the driver keeps, and the copies that calls read.

use crate::{
    facts::Facts,
    policy::{Candidate, Weights},
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
pub(crate) struct Set<E> {
    candidates: Vec<Candidate>,
    members: Vec<Arc<Member<E>>>,
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
    candidates: Vec<Candidate>,
    members: Vec<Arc<Member<E>>>,
    /// Statistics of those who left a moment ago and may come back.
    left: Vec<(u64, Arc<Stats>)>,
    facts: Arc<Facts>,
}

/// The most who left that are remembered.
const MOST_LEFT: usize = 1_024;

// === impl Set ===

impl<E> Set<E> {
    pub(crate) const fn empty() -> Self {
        Self {
            candidates: Vec::new(),
            members: Vec::new(),
            weights: Weights::none(),
        }
    }

    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    pub(crate) const fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(crate) fn get(&self, index: usize) -> Option<(&Candidate, &Arc<Member<E>>)> {
        self.candidates.get(index).zip(self.members.get(index))
    }
}

impl<E> fmt::Debug for Set<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.candidates).finish()
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
            candidates: Vec::new(),
            members: Vec::new(),
            left: Vec::new(),
            facts,
        }
    }

    /// Takes `endpoint` in, in the place and with the statistics of its predecessor if it has one.
    pub(crate) fn insert(&mut self, id: EndpointId, endpoint: E) {
        let known = self.index.get(&id).copied();
        let stats = match known {
            Some(at) => Arc::clone(self.candidates[at].stats()),
            None => self
                .returning(&id)
                .unwrap_or_else(|| Arc::new(Stats::new(id.clone(), Arc::clone(&self.facts)))),
        };
        let (availability, weight) = (endpoint.availability().clone(), endpoint.weight());
        let candidate = Candidate::new(stats, availability, weight);
        let member = Arc::new(Member {
            endpoint,
            gone: AtomicBool::new(false),
        });
        if let Some(at) = known {
            self.candidates[at] = candidate;
            std::mem::replace(&mut self.members[at], member).leave();
        } else {
            self.index.insert(id, self.candidates.len());
            self.candidates.push(candidate);
            self.members.push(member);
        }
    }

    pub(crate) fn remove(&mut self, id: &EndpointId, now: u64) {
        let Some(at) = self.index.remove(id) else {
            return;
        };
        self.members.swap_remove(at).leave();
        let candidate = self.candidates.swap_remove(at);
        if let Some(moved) = self.candidates.get(at) {
            self.index.insert(moved.stats().id().clone(), at);
        }
        if self.left.len() < MOST_LEFT {
            self.left.push((now, Arc::clone(candidate.stats())));
        }
    }

    /// A copy for calls to read.
    pub(crate) fn publish(&mut self, now: u64, memory: u64) -> Set<E> {
        self.left
            .retain(|(left, _)| now.saturating_sub(*left) < memory);
        Set {
            weights: Weights::of(&self.candidates),
            candidates: self.candidates.clone(),
            members: self.members.clone(),
        }
    }

    fn returning(&mut self, id: &EndpointId) -> Option<Arc<Stats>> {
        let at = self.left.iter().position(|(_, stats)| stats.id() == id)?;
        Some(self.left.swap_remove(at).1)
    }
}
