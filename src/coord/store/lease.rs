//! Leases: time that a holder must ask for again and again.

use bytes::Bytes;
use std::{fmt, time::Duration};

/// Names a lease; printed in hexadecimal, as etcd's tools do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaseId(pub i64);

/// A lease that was just granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// The time that was granted, which may be more than was asked for.
    pub ttl: Duration,
}

/// What is left of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseStatus {
    /// The time until it runs out, unless it is kept alive.
    pub remaining: Duration,
    /// The time that was granted.
    pub granted: Duration,
    /// The keys attached to it, sorted.
    pub keys: Vec<Bytes>,
}

// === impl LeaseId ===

impl LeaseId {
    /// No lease: what a key has that stays until it is deleted.
    pub const NONE: Self = Self(0);

    /// Whether it names a lease at all.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl fmt::LowerHex for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeaseId({self:x})")
    }
}
