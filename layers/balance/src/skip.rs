//! The endpoints that one call found busy or broken.

use ziggurat_core::EndpointId;

/// Some endpoints, by their tokens; a few of them without an allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skip {
    few: [u64; FEW],
    len: usize,
    more: Vec<u64>,
}

const FEW: usize = 8;
/// Whoever finds so many busy or broken waits for a change, rather than asking thousands.
const MOST: usize = 64;

// === impl Skip ===

impl Skip {
    pub(crate) fn push(&mut self, endpoint: &EndpointId) {
        match self.few.get_mut(self.len) {
            Some(slot) => {
                *slot = endpoint.token();
                self.len += 1;
            }
            None => self.more.push(endpoint.token()),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.more.clear();
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len + self.more.len() >= MOST
    }

    pub(crate) fn contains(&self, endpoint: &EndpointId) -> bool {
        let token = endpoint.token();
        self.len > 0 && (self.few[..self.len].contains(&token) || self.more.contains(&token))
    }
}
