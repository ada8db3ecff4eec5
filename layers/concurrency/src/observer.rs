//! What a limit tells whoever counts.

use crate::Cause;
use std::time::Duration;
use ziggurat_core::Criticality;

/// Hears what a limit does; every method does nothing by default.
///
/// It is called on the path of a call, after the decision, so it must not block. One that
/// panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// A call of this level was rejected.
    fn rejected(&self, level: Criticality, cause: Cause) {
        let _ = (level, cause);
    }

    /// A call of this level got its permit after it had waited for so long.
    fn waited(&self, level: Criticality, time: Duration) {
        let _ = (level, time);
    }

    /// The algorithm has found another limit.
    fn limit_changed(&self, from: u32, to: u32) {
        let _ = (from, to);
    }
}
