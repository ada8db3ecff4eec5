//! Those instances that fulfil a condition.

use crate::adapted::{Choose, Instances};
use std::{fmt, sync::Arc};
use ziggurat_core::Instance;

/// Chooses the instances for which a condition is true.
#[derive(Clone)]
pub struct Only<F>(F);

// === impl Only ===

impl<F> Only<F> {
    /// Those for which `keep` is true.
    pub const fn new(keep: F) -> Self {
        Self(keep)
    }
}

impl<F> Choose for Only<F>
where
    F: Fn(&Instance) -> bool + Clone + Send + Sync + Unpin + 'static,
{
    fn choose(&mut self, all: &Instances) -> Instances {
        let kept = all.iter().filter(|(_, one)| (self.0)(one));
        kept.map(|(id, one)| (id.clone(), Arc::clone(one)))
            .collect()
    }
}

impl<F> fmt::Debug for Only<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Only").finish_non_exhaustive()
    }
}
