//! What health does when a call has ended.

use crate::{judge::Judge, policy::Ticket};
use std::{fmt, sync::Arc};
use ziggurat_core::{Outcome, Record};

/// Tells how one call to an endpoint ended.
// Two words: every future and every body of every layer around is moved with it.
pub struct Watch(Option<(Arc<Judge>, Ticket)>);

// === impl Watch ===

impl Watch {
    /// The judge of the endpoint, if this call is to be watched.
    #[inline]
    pub(crate) fn start(judge: Option<Arc<Judge>>) -> Self {
        Self(judge.and_then(|judge| {
            let ticket = judge.admit()?;
            Some((judge, ticket))
        }))
    }
}

impl Record for Watch {
    fn responded(&mut self) {
        if let Some((judge, ticket)) = &self.0 {
            judge.respond(*ticket);
        }
    }

    #[inline]
    fn settle(self, outcome: Outcome) {
        if let Some((judge, ticket)) = self.0 {
            judge.settle(ticket, outcome);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("ticket", &self.0.as_ref().map(|(_, ticket)| ticket))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_carries_is_two_words() {
        assert_eq!(size_of::<Watch>(), 16);
    }
}
