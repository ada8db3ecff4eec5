//! How a shutdown went.

use std::{error::Error, fmt};

/// How a [shutdown](super::Lifecycle::shutdown) went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many calls were still in flight when there was no more time for them.
    pub cut_off: usize,
    /// Why goodbyes failed, or that they took too long.
    pub problems: Vec<String>,
}

/// There was no more time for a server to end its connections: it was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutOff;

// === impl Drained ===

impl Drained {
    /// Every call has ended, and every goodbye was said.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.cut_off == 0 && self.problems.is_empty()
    }
}

// === impl CutOff ===

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server had connections left when the time to drain was over")
    }
}

impl Error for CutOff {}
