//! What happens to one call.

use crate::{Abort, Kind, Observer};
use std::{num::NonZeroU64, time::Duration};

/// What happens to one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) abort: Option<Abort>,
    /// Bytes a second.
    pub(crate) bandwidth: Option<NonZeroU64>,
    /// Bytes.
    pub(crate) cut: Option<u64>,
}

// === impl Plan ===

impl Plan {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn tell(&self, observer: &dyn Observer) {
        // What is aborted has no body.
        let body = self.abort.is_none();
        for (kind, given) in [
            (Kind::Delay, self.delay.is_some()),
            (Kind::Abort, self.abort.is_some()),
            (Kind::Bandwidth, body && self.bandwidth.is_some()),
            (Kind::Cut, body && self.cut.is_some()),
        ] {
            if given {
                observer.injected(kind);
            }
        }
    }
}
