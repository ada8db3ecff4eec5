//! Why no endpoint was picked.

use crate::{chunks::Chunks, policy::Candidate, set::Set};
use std::{error::Error, fmt};
use ziggurat_core::{Code, Rejection, State};

/// No endpoint was ready in time: the call was not sent.
///
/// UNAVAILABLE when the bound for failing fast was reached, DEADLINE_EXCEEDED when the call's own
/// deadline was.
#[derive(Clone, Debug)]
pub struct NoEndpoints {
    known: usize,
    rejection: Rejection,
}

// === impl NoEndpoints ===

impl NoEndpoints {
    pub(crate) fn among<E, T>(set: &Set<E, T>, service: &str, code: Code) -> Self {
        let known = set.candidates().len();
        let reason = if known == 0 {
            format!("no endpoints for {service}")
        } else {
            let counts = tally(set.candidates());
            format!("no ready endpoint for {service}: {counts}")
        };
        Self {
            known,
            rejection: Rejection::decided(code, reason),
        }
    }

    /// How many endpoints are known, of which none was ready.
    #[must_use]
    pub const fn known(&self) -> usize {
        self.known
    }
}

impl fmt::Display for NoEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rejection.reason())
    }
}

impl Error for NoEndpoints {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

/// `3 down, 1 ejected`.
fn tally(candidates: &Chunks<Candidate>) -> String {
    let kinds = [
        (State::Ready, "busy"),
        (State::Idle, "idle"),
        (State::Connecting, "connecting"),
        (State::Draining, "draining"),
        (State::Down, "down"),
        (State::Ejected, "ejected"),
    ];
    let count = |state| {
        let in_state = |candidate: &&Candidate| candidate.state() == state;
        candidates.iter().filter(in_state).count()
    };
    let counted = kinds.map(|(state, name)| (count(state), name));
    let parts = counted.iter().filter(|(count, _)| *count > 0);
    let parts = parts.map(|(count, name)| format!("{count} {name}"));
    parts.collect::<Vec<_>>().join(", ")
}
