//! The endpoints that one call found busy or broken.

use ziggurat_core::EndpointId;

/// Some endpoints, by their tokens. Most calls skip none, and allocate nothing for it.
#[derive(Clone, Debug)]
pub(crate) struct Skip(Vec<u64>);

/// Whoever finds so many busy or broken waits for a change, rather than asking thousands.
const MOST: usize = 64;

// === impl Skip ===

impl Skip {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, endpoint: &EndpointId) {
        self.0.push(endpoint.token());
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    #[inline]
    pub(crate) fn contains(&self, endpoint: &EndpointId) -> bool {
        // The token is not on the line of cache that a pick reads anyway.
        !self.0.is_empty() && self.0.contains(&endpoint.token())
    }
}
