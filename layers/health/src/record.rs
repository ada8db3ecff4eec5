//! What health does when a call has ended.

use crate::{judge::Judge, policy::Ticket};
use std::{fmt, sync::Arc};
use ziggurat_core::{Outcome, Record};

/// Tells how one call to an endpoint ended.
pub struct Watch {
    judge: Arc<Judge>,
    ticket: Option<Ticket>,
}

// === impl Watch ===

impl Watch {
    #[inline]
    pub(crate) fn start(judge: &Arc<Judge>) -> Self {
        Self {
            ticket: judge.admit(),
            judge: Arc::clone(judge),
        }
    }
}

impl Record for Watch {
    fn responded(&mut self) {
        if let Some(ticket) = self.ticket {
            self.judge.respond(ticket);
        }
    }

    #[inline]
    fn settle(self, outcome: Outcome) {
        if let Some(ticket) = self.ticket {
            self.judge.settle(ticket, outcome);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}
