//! A ring of points, of which each belongs to an endpoint.

use super::Endpoints;

/// Points in the order of their hashes; a key belongs to the first one at or after its own hash.
#[derive(Debug)]
pub struct Ring {
    hashes: Box<[u64]>,
    owners: Box<[u32]>,
}

/// The increment of SplitMix64, whose finalizer `mix` is.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
/// Points of an endpoint of average weight: they leave its share within a tenth of what is due.
const POINTS: u64 = 160;
/// The most points, unless there are more endpoints than that.
const MOST: u64 = 1 << 15;

// === impl Ring ===

impl Ring {
    /// Each endpoint has points by its weight, and at least one; they stay where they are when others
    /// come and go, as long as its part of all the weight does not change by much.
    pub(crate) fn of(endpoints: &Endpoints<'_>) -> Self {
        let len = endpoints.len() as u64;
        let total: u64 = endpoints.iter().map(|(_, weight)| u64::from(weight)).sum();
        let each = POINTS.min(MOST / len.max(1)).max(1);
        let mut points = Vec::new();
        for (owner, (id, weight)) in (0_u32..).zip(endpoints.iter()) {
            let weight = u128::from(weight) * u128::from(len);
            let exact = weight * u128::from(each) / u128::from(total.max(1));
            let own = (exact as u64).clamp(1, MOST);
            let hash = |nth: u64| mix(id.token().wrapping_add(nth.wrapping_mul(GAMMA)));
            points.extend((1..=own).map(|nth| (hash(nth), owner)));
        }
        points.sort_unstable();
        // Of points of one endpoint in a row the last is enough, whichever way round: the next one is
        // somebody else then, also behind one that has nearly all of the ring.
        points.reverse();
        points.dedup_by_key(|(_, owner)| *owner);
        points.reverse();
        Self {
            hashes: points.iter().map(|(hash, _)| *hash).collect(),
            owners: points.iter().map(|(_, owner)| *owner).collect(),
        }
    }

    /// The owners of the points from `key` on, once round; one may come many times.
    pub(crate) fn from(&self, key: u64) -> impl Iterator<Item = usize> {
        let hash = mix(key);
        let first = self.hashes.partition_point(|point| *point < hash);
        let (before, after) = self.owners.split_at(first);
        after.iter().chain(before).map(|owner| *owner as usize)
    }
}

/// SplitMix64's finalizer (Steele, Lea, Flood, 2014): keys and names that differ little end up far
/// apart.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
