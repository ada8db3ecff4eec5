//! The endpoints of a new set, for whoever arranges them before calls come.

use super::Candidate;
use crate::chunks::Chunks;
use ziggurat_core::EndpointId;

/// The endpoints of a new set, in the order of their indexes.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints<'a>(&'a Chunks<Candidate>);

// === impl Endpoints ===

impl<'a> Endpoints<'a> {
    pub(crate) const fn new(all: &'a Chunks<Candidate>) -> Self {
        Self(all)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// What each of them weighs by its own reports of its load, in their order; `None` for one whose
    /// reports do not count, or not yet, and for all of them if the policy does not
    /// [want to know](super::Arrange::load_reports).
    #[must_use]
    pub fn load_weights(&self) -> Vec<Option<f64>> {
        let Some(first) = self.0.get(0) else {
            return Vec::new();
        };
        let now = first.stats().facts().now();
        let weight = |one: &Candidate| one.stats().load_weight(now);
        self.0.iter().map(weight).collect()
    }

    /// The names of all of them, and their weights, which are ratios to one another.
    pub fn iter(&self) -> impl Iterator<Item = (&'a EndpointId, u32)> + use<'a> {
        let one = |one: &'a Candidate| (one.stats().id(), one.weight().max(1));
        self.0.iter().map(one)
    }
}
