//! Draws by weight.

use super::Candidate;
use crate::chunks::Chunks;
use std::{collections::BTreeMap, sync::Arc};
use ziggurat_core::Dice;

/// The weights of the endpoints of one set.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    heaviest: u32,
    /// The weight of each with all before it. `None`: all have the same.
    sums: Option<Arc<[u64]>>,
}

/// How many there are of each weight, so that nobody has to walk over them when one changes.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<u32, usize>);

// === impl Weights ===

impl Weights {
    pub(crate) const fn none() -> Self {
        Self {
            heaviest: 1,
            sums: None,
        }
    }

    pub(crate) fn of(all: &Chunks<Candidate>, tally: &Tally) -> Self {
        let sums = || {
            let weights = all.iter().map(|one| u64::from(one.weight().max(1)));
            weights.scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
        };
        Self {
            heaviest: tally
                .0
                .last_key_value()
                .map_or(1, |(heaviest, _)| *heaviest),
            sums: (tally.0.len() > 1).then(|| sums().collect()),
        }
    }

    /// Are there different ones?
    #[inline]
    pub(crate) const fn differ(&self) -> bool {
        self.sums.is_some()
    }

    /// A weight, as a part of the heaviest.
    #[inline]
    pub(crate) fn part(&self, weight: u32) -> f64 {
        if !self.differ() {
            return 1.0;
        }
        f64::from(weight.max(1)) / f64::from(self.heaviest)
    }

    /// One of `len`, each as likely as it is heavy.
    #[inline]
    pub(crate) fn draw(&self, len: usize, dice: &Dice) -> usize {
        let Some(sums) = &self.sums else {
            return dice.below(len);
        };
        let total = sums.last().copied().unwrap_or(0);
        let scaled = u128::from(dice.number()) * u128::from(total);
        sums.partition_point(|sum| *sum <= (scaled >> 64) as u64)
    }
}

// === impl Tally ===

impl Tally {
    pub(crate) fn add(&mut self, weight: u32) {
        *self.0.entry(weight.max(1)).or_default() += 1;
    }

    pub(crate) fn take(&mut self, weight: u32) {
        let weight = weight.max(1);
        if let Some(count) = self.0.get_mut(&weight) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&weight);
            }
        }
    }
}
