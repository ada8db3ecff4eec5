//! What happens to a circuit, for whoever wants to wait for it.

use crate::State;
use tokio::sync::broadcast::{self, error::RecvError};

/// Something that happened to a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The circuit went from one state to another.
    Changed {
        /// What it was.
        from: State,
        /// What it is.
        to: State,
    },
    /// So many events went by unread: whoever reads too slowly loses the oldest, and what comes next
    /// need not begin where the last one ended.
    Missed(u64),
}

/// The events of a circuit, in their order; up to 64 wait to be read.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

/// Events that wait for a slow reader.
pub(crate) const WAITING: usize = 64;

// === impl Events ===

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(receiver)
    }

    /// The next event. `None`: the circuit is gone. Dropped unfinished, it loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
