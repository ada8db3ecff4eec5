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

    /// The names of all of them, and their weights, which are ratios to one another.
    pub fn iter(&self) -> impl Iterator<Item = (&'a EndpointId, u32)> + use<'a> {
        let one = |one: &'a Candidate| (one.stats().id(), one.weight().max(1));
        self.0.iter().map(one)
    }
}
