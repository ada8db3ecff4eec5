//! Looking at a limit.

use crate::shared::Shared;
use std::sync::Arc;

/// Looks at a limit; clones are of the same one.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

// === impl Handle ===

impl Handle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How many calls may be under way at once, now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit()
    }

    /// How many are under way. Those that are [`Exempt`](crate::Priority::Exempt) are not counted.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.0.gate().out()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.gate().waiting()
    }
}
