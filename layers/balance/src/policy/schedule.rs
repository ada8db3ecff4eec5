//! In which order endpoints take their turns, so that each comes as often as it is heavy.

/// A round: who comes when. `None` in it: all come once, in their order.
#[derive(Debug)]
pub struct Schedule {
    round: Option<Box<[u32]>>,
    len: usize,
}

/// The longest round, unless there are more endpoints than that.
const LONGEST: u64 = 16_384;
/// 2^32 divided by the golden ratio: its multiples, cut off at 2^32, are as far apart as can be.
const GOLDEN: u32 = 0x9E37_79B9;

// === impl Schedule ===

impl Schedule {
    /// All come once.
    pub(crate) const fn plain(len: usize) -> Self {
        Self { round: None, len }
    }

    /// Each comes as often as it is heavy, and evenly spread: the `n`th of its `w` turns is due at
    /// `(n + p) / w` of the round, where `p` is its own, so that equals do not come together.
    ///
    /// Weights that would make the round longer than 16384 turns, or four an endpoint, are rounded, and
    /// nobody is rounded to nothing.
    pub(crate) fn weighted(weights: &[u32]) -> Self {
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        if weights.iter().all(|weight| *weight == divisor) {
            return Self::plain(weights.len());
        }
        let total: u64 = weights
            .iter()
            .map(|weight| u64::from(weight / divisor))
            .sum();
        let longest = LONGEST.max(4 * weights.len() as u64);
        let turns = |weight: u32| {
            let weight = u64::from(weight / divisor);
            if total <= longest {
                return weight;
            }
            let rounded = (u128::from(weight) * u128::from(longest) / u128::from(total)) as u64;
            rounded.max(1)
        };
        let mut due = Vec::new();
        for (index, weight) in (0_u32..).zip(weights) {
            let turns = turns(*weight);
            let phase = u64::from(index.wrapping_mul(GOLDEN));
            due.extend((0..turns).map(|nth| (at(nth, phase, turns), index)));
        }
        due.sort_unstable();
        Self {
            round: Some(due.into_iter().map(|(_, index)| index).collect()),
            len: weights.len(),
        }
    }

    /// Who comes at this turn; there must be somebody.
    pub(crate) fn turn(&self, nth: u64) -> usize {
        match &self.round {
            None => (nth % self.len as u64) as usize,
            Some(round) => round[(nth % round.len() as u64) as usize] as usize,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.round.as_ref().map_or(self.len, |round| round.len())
    }
}

/// When it is due, in parts of 2^-48 of a round.
fn at(nth: u64, phase: u64, turns: u64) -> u64 {
    let turn = u128::from(nth) << 32 | u128::from(phase);
    ((turn << 16) / u128::from(turns)) as u64
}

fn gcd(one: u32, other: u32) -> u32 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(weights: &[u32]) -> Vec<usize> {
        let schedule = Schedule::weighted(weights);
        (0..schedule.len() as u64)
            .map(|nth| schedule.turn(nth))
            .collect()
    }

    #[test]
    fn turns_are_spread_evenly() {
        assert_eq!(round(&[1, 1, 1]), [0, 1, 2]);
        for weights in [&[300, 100][..], &[5, 1, 1], &[90, 20, 7, 3, 1]] {
            let (round, total) = (round(weights), weights.iter().sum::<u32>());
            for (index, weight) in weights.iter().enumerate() {
                let mut come = 0.0;
                for (nth, turn) in (1_u32..).zip(&round) {
                    come += f64::from(u8::from(*turn == index));
                    let due = f64::from(nth * weight) / f64::from(total);
                    assert!((come - due).abs() < 2.0, "{weights:?} {round:?}");
                }
            }
        }
    }

    #[test]
    fn each_comes_as_often_as_it_is_heavy() {
        let weights = [7, 3, 1, 90, 20];
        let round = round(&weights);
        for (index, weight) in weights.iter().enumerate() {
            let turns = round.iter().filter(|turn| **turn == index).count();
            assert_eq!(turns, *weight as usize);
        }
    }

    #[test]
    fn any_weights_make_a_round_of_bounded_length() {
        for weights in [
            &[u32::MAX, 1][..],
            &[u32::MAX; 3],
            &[u32::MAX, 2, u32::MAX - 1],
        ] {
            let round = round(weights);
            assert!(round.len() <= 16_500, "{}", round.len());
            for index in 0..weights.len() {
                assert!(round.contains(&index));
            }
        }
        let many: Vec<u32> = (1..=20_000).collect();
        assert!(round(&many).len() <= 100_000);
    }
}
