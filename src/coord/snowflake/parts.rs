//! What an id consists of.

use std::time::Duration;

/// What an id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SnowflakeParts {
    /// When it was made, in milliseconds since 1970.
    pub unix_millis: u64,
    /// Who made it; 0 to 1023.
    pub node: u16,
    /// The how-manieth of its millisecond it is; 0 to 4095.
    pub sequence: u16,
}

const SEQUENCE_BITS: u32 = 12;
const NODE_BITS: u32 = 10;
const WORKER_BITS: u32 = 5;
pub(super) const MAX_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;
pub(super) const MAX_NODE: u16 = (1 << NODE_BITS) - 1;
pub(super) const MAX_MILLIS: u64 = (1 << 41) - 1;

// === impl SnowflakeParts ===

impl SnowflakeParts {
    /// Takes an id apart that counts time from `epoch`, in milliseconds since 1970.
    #[must_use]
    pub const fn decode(id: i64, epoch: u64) -> Self {
        let id = id.cast_unsigned();
        let millis = (id >> (SEQUENCE_BITS + NODE_BITS)) & MAX_MILLIS;
        Self {
            unix_millis: epoch.saturating_add(millis),
            node: (id >> SEQUENCE_BITS) as u16 & MAX_NODE,
            sequence: (id & MAX_SEQUENCE) as u16,
        }
    }

    /// When it was made, since 1970.
    #[must_use]
    pub const fn time(&self) -> Duration {
        Duration::from_millis(self.unix_millis)
    }

    /// The upper half of the node, where it is read as datacenter and worker; 0 to 31.
    #[must_use]
    pub const fn datacenter(&self) -> u16 {
        self.node >> WORKER_BITS
    }

    /// The lower half of the node, where it is read as datacenter and worker; 0 to 31.
    #[must_use]
    pub const fn worker(&self) -> u16 {
        self.node & ((1 << WORKER_BITS) - 1)
    }
}

/// Puts an id together of parts that are in their bounds.
pub(super) const fn compose(millis: u64, node: u16, sequence: u64) -> i64 {
    let id = (millis << (SEQUENCE_BITS + NODE_BITS)) | ((node as u64) << SEQUENCE_BITS) | sequence;
    // 63 bits: never negative.
    id.cast_signed()
}

/// A time and a sequence in one word, so that one atomic holds both.
pub(super) const fn pack(millis: u64, sequence: u64) -> u64 {
    (millis << SEQUENCE_BITS) | sequence
}

pub(super) const fn unpack(packed: u64) -> (u64, u64) {
    (packed >> SEQUENCE_BITS, packed & MAX_SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_undoes_composing_at_all_edges() {
        for millis in [0, 1, MAX_MILLIS] {
            for node in [0, 1, 378, MAX_NODE] {
                for sequence in [0, 1, MAX_SEQUENCE] {
                    let id = compose(millis, node, sequence);
                    assert!(id >= 0);
                    let parts = SnowflakeParts::decode(id, 7);
                    assert_eq!(parts.unix_millis, millis + 7);
                    assert_eq!((parts.node, u64::from(parts.sequence)), (node, sequence));
                    assert_eq!(parts.datacenter() << 5 | parts.worker(), node);
                    assert_eq!(unpack(pack(millis, sequence)), (millis, sequence));
                }
            }
        }
    }
}
