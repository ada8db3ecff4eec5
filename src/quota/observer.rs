//! What limits on Redis tell whoever counts.

use std::time::Duration;

/// Hears what the limits on one Redis do; every method does nothing by default.
///
/// It is called on the path of a call, after the decision, so it must not block.
pub trait Observer: Send + Sync + 'static {
    /// Redis answered, after this time, and gave so many calls; none, if there were none.
    fn asked(&self, took: Duration, granted: u32) {
        let _ = (took, granted);
    }

    /// A call was rejected: its limit is used up.
    fn limited(&self) {}

    /// A call was refused for what it is: it costs more than the burst, its key is too long, or nobody
    /// knows its rule.
    fn refused(&self) {}

    /// Redis did not say what becomes of a call, and the policy decided.
    fn decided_alone(&self, admitted: bool) {
        let _ = admitted;
    }

    /// Redis is out of reach, or in reach again.
    fn redis(&self, reachable: bool) {
        let _ = reachable;
    }

    /// Redis holds something else under a key, or answered what makes no sense.
    fn malformed(&self) {}

    /// Another node of a cluster has the key that Redis was asked for.
    fn elsewhere(&self) {}

    /// There was no place for a key: this call is asked for by itself.
    fn overflowed(&self) {}

    /// A call was admitted without a limit, as nobody knows its rule.
    fn unknown_rule(&self) {}
}

impl Observer for () {}
