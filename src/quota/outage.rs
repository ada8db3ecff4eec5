//! What becomes of calls while nobody can ask Redis.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Live, Rejection};

/// What becomes of a call when Redis is out of reach, or does not answer in time.
#[derive(Clone)]
#[non_exhaustive]
pub enum OnOutage {
    /// It is admitted: the limit protects nothing that must not be overrun.
    Open,
    /// It fails with [`Unchecked`].
    Closed,
    /// It is admitted at this process's share of the rate, with its share of the burst, both divided by
    /// so many processes; [`Peers`](crate::quota::Peers) counts them. A process that counts none is
    /// alone.
    Share(Live<usize>),
}

/// Redis could not say whether the call is within its limit, and [`OnOutage::Closed`] decided. It stands
/// for UNAVAILABLE.
#[derive(Clone, Debug)]
pub struct Unchecked(Rejection);

/// When a closed limit suggests to come again: by then Redis was asked anew.
const AGAIN: Duration = Duration::from_secs(1);

// === impl OnOutage ===

impl fmt::Debug for OnOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Closed => f.write_str("Closed"),
            Self::Share(processes) => f.debug_tuple("Share").field(&processes.get()).finish(),
        }
    }
}

// === impl Unchecked ===

impl Unchecked {
    pub(super) fn new() -> Self {
        let rejection = Rejection::decided(Code::Unavailable, "rate limit cannot be checked");
        Self(rejection.with_retry_after(AGAIN))
    }
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rate limit cannot be checked")
    }
}

impl Error for Unchecked {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
