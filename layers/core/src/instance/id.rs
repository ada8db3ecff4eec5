//! What an endpoint is called.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The name of an endpoint, unique within its service. Cheap to clone and to compare.
#[derive(Clone)]
pub struct EndpointId {
    name: Arc<str>,
    token: u64,
}

// === impl EndpointId ===

impl EndpointId {
    /// This name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let token = fnv(name.as_bytes());
        Self { name, token }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// A hash of the name, the same in every process, never 0.
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.token
    }
}

impl PartialEq for EndpointId {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token && self.name == other.name
    }
}

impl Eq for EndpointId {}

impl PartialOrd for EndpointId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for EndpointId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token.hash(state);
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

/// FNV-1a: small, and the same in every process, which the ring of hashes will need.
fn fnv(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.max(1)
}
