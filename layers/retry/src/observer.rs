//! Whoever wants to know what the layer does.

use std::time::Duration;
use ziggurat_core::Code;

/// Hears what the layer decides; every method does nothing unless it is written.
///
/// It is called in the call's own task, after the decision: it should be quick.
pub trait Observer: Send + Sync + 'static {
    /// Attempt `number` will follow after `delay`, because of what happened to the one before.
    ///
    /// An attempt that never reached the application is repeated under its own number.
    fn retried(&self, number: u32, why: Why, delay: Duration) {
        let _ = (number, why, delay);
    }

    /// Attempt `number` got no answer within `after` and was dropped.
    fn timed_out(&self, number: u32, after: Duration) {
        let _ = (number, after);
    }

    /// Attempt `number` is made [beside](crate::hedge) those under way, or because one of them failed.
    fn hedged(&self, number: u32) {
        let _ = number;
    }

    /// Attempt `number` was dropped, because the answer to another one came first.
    fn overtaken(&self, number: u32) {
        let _ = number;
    }

    /// The last of `attempts` failed in a way that would have been tried again.
    fn exhausted(&self, attempts: u32) {
        let _ = attempts;
    }

    /// An attempt was due, and the budget had nothing left.
    fn out_of_budget(&self) {}

    /// An attempt was due, and the deadline left no time for it; or, without one, the server wanted
    /// it to wait for more than a minute.
    fn out_of_time(&self) {}

    /// An attempt was due, and the request could not be made again: its body had outgrown the limit.
    fn unrepeatable(&self) {}

    /// An attempt was due, and the request could not be made again: the bodies of all calls together
    /// had outgrown theirs.
    fn crowded(&self) {}

    /// An attempt was due, but the call was made to serve another one's further attempt, whose caller
    /// is the one to try again.
    fn chained(&self) {}
}

/// Why a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It never left this process.
    Unsent,
    /// The server said that it did not look at it.
    Unprocessed,
    /// The server answered with this code.
    Answered(Code),
    /// The server may have acted on it, and the call may be made twice.
    Lost(Code),
    /// The attempt got no answer within its time, and the call may be made twice.
    TimedOut,
    /// A predicate wanted it.
    Wanted,
}

// === impl Observer ===

/// Nobody wants to know.
impl Observer for () {}
