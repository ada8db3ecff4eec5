//! Draws by weight.

use super::Candidate;
use ziggurat_core::Dice;

/// The weights of the endpoints of one set.
#[derive(Debug)]
pub(crate) struct Weights {
    heaviest: u32,
    /// The weight of each with all before it. `None`: all have the same.
    sums: Option<Box<[u64]>>,
}

// === impl Weights ===

impl Weights {
    pub(crate) const fn none() -> Self {
        Self {
            heaviest: 1,
            sums: None,
        }
    }

    pub(crate) fn of(all: &[Candidate]) -> Self {
        let weights = || all.iter().map(|one| one.weight().max(1));
        let heaviest = weights().max().unwrap_or(1);
        let sums = weights().scan(0, |sum, weight| {
            *sum += u64::from(weight);
            Some(*sum)
        });
        let differ = weights().any(|weight| weight != heaviest);
        Self {
            heaviest,
            sums: differ.then(|| sums.collect()),
        }
    }

    pub(crate) const fn heaviest(&self) -> u32 {
        self.heaviest
    }

    /// One of `len`, each as likely as it is heavy.
    pub(crate) fn draw(&self, len: usize, dice: &Dice) -> usize {
        let Some(sums) = &self.sums else {
            return dice.below(len);
        };
        let total = sums.last().copied().unwrap_or(0);
        let scaled = u128::from(dice.number()) * u128::from(total);
        sums.partition_point(|sum| *sum <= (scaled >> 64) as u64)
    }
}
