//! Attempts that no server has seen: they are made again and are none.

use crate::{Failure, failure::Kind};
use std::time::Duration;
use ziggurat_core::{Backoff, Dice};

/// What a call has met of them.
#[derive(Debug, Default)]
pub(crate) struct Unseen {
    unsent: u32,
    unprocessed: bool,
}

/// A connection that fails and a call that has for ever must not meet for ever.
pub(crate) const UNSENT_WITHOUT_DEADLINE: u32 = 10;

// === impl Unseen ===

impl Unseen {
    /// How long to wait before an attempt that is none, because the last one reached nobody.
    /// `endless`: the call has no deadline.
    pub(crate) fn again(
        &mut self,
        failure: &Failure,
        endless: bool,
        backoff: &Backoff,
        dice: &Dice,
    ) -> Option<Duration> {
        match failure.kind {
            Kind::Unsent => {
                self.unsent += 1;
                if endless && self.unsent > UNSENT_WITHOUT_DEADLINE {
                    return None;
                }
                // The first time there may well be another way; after that it is spinning.
                let before = self.unsent - 1;
                Some(match before {
                    0 => Duration::ZERO,
                    _ => backoff.delay(before, dice),
                })
            }
            Kind::Unprocessed if !self.unprocessed => {
                self.unprocessed = true;
                Some(Duration::ZERO)
            }
            _ => None,
        }
    }

    /// Was the failed attempt none?
    pub(crate) const fn covers(&self, failure: &Failure) -> bool {
        match failure.kind {
            Kind::Unsent => true,
            Kind::Unprocessed => !self.unprocessed,
            _ => false,
        }
    }
}
