//! Which few of many instances a client connects to.

use crate::members::Set;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroUsize,
    sync::Arc,
};
use ziggurat_core::{EndpointId, Instance};

/// Keeps the `most` instances that `seed` ranks lowest.
///
/// Rendezvous hashing (Thaler, Ravishankar, 1996): a rank depends on one instance alone, so who
/// comes or goes moves nobody else, but for the one who makes room or takes it.
pub(crate) fn subset<'i>(
    all: impl Iterator<Item = &'i Arc<Instance>>,
    seed: u64,
    most: NonZeroUsize,
) -> Set {
    let rank = |one: &'i Arc<Instance>| (rank(one.id(), seed), one);
    let mut ranked: Vec<_> = all.map(rank).collect();
    if ranked.len() > most.get() {
        let by_rank = |(rank, one): &(u64, &Arc<Instance>)| (*rank, one.id().token());
        ranked.select_nth_unstable_by_key(most.get(), by_rank);
        ranked.truncate(most.get());
    }
    let kept = ranked.into_iter();
    kept.map(|(_, one)| (one.id().clone(), Arc::clone(one)))
        .collect()
}

fn rank(id: &EndpointId, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    id.as_str().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::Dice;

    fn instances(count: usize) -> Vec<Arc<Instance>> {
        let instance = |n| Instance::new("echo", &format!("i{n}"), "127.0.0.1", 1).unwrap();
        (0..count).map(|n| Arc::new(instance(n))).collect()
    }

    fn some(most: usize) -> NonZeroUsize {
        NonZeroUsize::new(most).unwrap()
    }

    #[test]
    fn a_small_service_is_kept_whole() {
        let all = instances(32);
        assert_eq!(subset(all.iter(), 1, some(32)).len(), 32);
    }

    #[test]
    fn one_that_comes_or_goes_moves_at_most_one() {
        let all = instances(101);
        for seed in 0..50 {
            let before = subset(all[..100].iter(), seed, some(32));
            let after = subset(all.iter(), seed, some(32));
            assert_eq!((before.len(), after.len()), (32, 32));
            let kept = before.keys().filter(|id| after.contains_key(*id)).count();
            assert!(kept >= 31);
            assert!(kept == 32 || after.contains_key(all[100].id()));
        }
    }

    #[test]
    fn clients_spread_over_all_instances() {
        let (all, dice) = (instances(50), Dice::seeded(3));
        let mut uses = std::collections::BTreeMap::new();
        for _ in 0..1_000 {
            for id in subset(all.iter(), dice.number(), some(5)).into_keys() {
                *uses.entry(id).or_insert(0) += 1;
            }
        }
        // 100 each, give or take six standard deviations.
        assert_eq!(uses.len(), 50);
        assert!(uses.values().all(|n| (40..160).contains(n)), "{uses:?}");
    }
}
