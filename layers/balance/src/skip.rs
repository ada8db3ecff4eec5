//! The endpoints that one call found busy or broken.

use ziggurat_core::EndpointId;

/// A few endpoints, by their tokens, without an allocation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Skip {
    tokens: [u64; MOST],
    len: usize,
}

/// Whoever finds so many busy or broken waits for a change, rather than asking thousands.
const MOST: usize = 8;

// === impl Skip ===

impl Skip {
    pub(crate) fn push(&mut self, endpoint: &EndpointId) {
        if let Some(slot) = self.tokens.get_mut(self.len) {
            *slot = endpoint.token();
            self.len += 1;
        }
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len == MOST
    }

    pub(crate) fn contains(&self, endpoint: &EndpointId) -> bool {
        self.len > 0 && self.tokens[..self.len].contains(&endpoint.token())
    }
}
