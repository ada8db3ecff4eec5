//! In which order endpoints take their turns, so that each comes as often as it is heavy.

/// A round: who comes when. `None` in it: all come once, in their order.
#[derive(Debug)]
pub struct Schedule {
    round: Option<Box<[u32]>>,
    len: usize,
}

/// The longest round, unless there are more endpoints than that.
const LONGEST: u64 = 16_384;
/// How far below the median a weight may be that an endpoint claims for itself.
const LEAST: f64 = 0.1;
/// The turns of one that weighs the median: fine enough to tell a hundredth more from a hundredth less.
const TURNS: f64 = 100.0;
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
            // To the nearest: of an endpoint's few turns one that is cut off is a large part.
            let (part, all) = (u128::from(weight) * u128::from(longest), u128::from(total));
            ((2 * part + all) / (2 * all)).max(1) as u64
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

    /// Each comes as often as it has room, but at most `most` times as often as the median. Those of which nothing is known count as the mean of the others; with fewer than two others all
    /// come once.
    pub(crate) fn by_load(weights: &[Option<f64>], most: f64) -> Self {
        let mut known: Vec<_> = weights.iter().flatten().copied().collect();
        if known.len() < 2 {
            return Self::plain(weights.len());
        }
        let median = median(&mut known);
        let share = |weight: f64| (weight / median).clamp(LEAST, most);
        let mean = known.iter().copied().map(share).sum::<f64>() / known.len() as f64;
        let turns = |weight: &Option<f64>| {
            let share = weight.map_or(mean, share);
            (share * TURNS).round() as u32
        };
        Self::weighted(&weights.iter().map(turns).collect::<Vec<_>>())
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

/// The median, the lower of two in the middle: what fewer than half of them claim moves it to the claim
/// of another, and no further.
fn median(weights: &mut [f64]) -> f64 {
    let middle = (weights.len() - 1) / 2;
    *weights.select_nth_unstable_by(middle, f64::total_cmp).1
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

    const MOST: f64 = 4.0;

    fn shares(weights: &[Option<f64>]) -> Vec<f64> {
        let schedule = Schedule::by_load(weights, MOST);
        let mut shares = vec![0.0; weights.len()];
        for nth in 0..schedule.len() as u64 {
            shares[schedule.turn(nth)] += 1.0 / schedule.len() as f64;
        }
        shares
    }

    #[test]
    fn who_has_room_comes_more_often() {
        for (weights, wanted) in [
            (vec![Some(200.0), Some(100.0)], vec![2.0 / 3.0, 1.0 / 3.0]),
            (vec![Some(2e-9), Some(1e-9)], vec![2.0 / 3.0, 1.0 / 3.0]),
            (vec![Some(f64::MAX), Some(f64::MAX)], vec![0.5, 0.5]),
            // Who says nothing is as good as the others are on average.
            (
                vec![Some(300.0), None, Some(100.0)],
                vec![0.5, 1.0 / 3.0, 1.0 / 6.0],
            ),
            // One word alone says nothing about the others.
            (vec![Some(300.0), None, None], vec![1.0 / 3.0; 3]),
            (vec![None, None], vec![0.5; 2]),
            (vec![Some(7.0)], vec![1.0]),
        ] {
            let shares = shares(&weights);
            for (share, wanted) in shares.iter().zip(&wanted) {
                assert!((share - wanted).abs() < 0.005, "{weights:?}: {shares:?}");
            }
        }
        assert!(shares(&[]).is_empty());
    }

    #[test]
    fn nobody_gets_more_than_four_shares_whatever_he_claims() {
        for (endpoints, liars) in [
            (2, 1),
            (3, 1),
            (5, 1),
            (5, 2),
            (10, 1),
            (10, 4),
            (20, 1),
            (200, 3),
            (1_000, 50),
        ] {
            let mut weights = vec![Some(1.0); endpoints];
            for (nth, weight) in weights.iter_mut().take(liars).enumerate() {
                *weight = Some(1e300 * (1.0 + nth as f64));
            }
            let shares = shares(&weights);
            let one = 1.0 / (MOST * liars as f64 + (endpoints - liars) as f64);
            for (nth, share) in shares.iter().enumerate() {
                let due = if nth < liars { MOST * one } else { one };
                assert!(
                    (share / due - 1.0).abs() < 0.1,
                    "{liars} of {endpoints}: {share} of {due}"
                );
            }
        }
    }

    #[test]
    fn who_makes_himself_small_moves_nobody_else() {
        for endpoints in [3, 4, 5, 10, 20] {
            let mut weights = vec![Some(1.0); endpoints];
            weights[0] = Some(1e-300);
            weights[1] = Some(2.0);
            let shares = shares(&weights);
            let small = shares[0] / shares[2];
            assert!((shares[1] / shares[2] - 2.0).abs() < 0.1, "{shares:?}");
            assert!((small - LEAST).abs() < 0.02, "{shares:?}");
        }
    }

    #[test]
    fn how_many_shares_one_may_get_is_a_setting() {
        let weights = [Some(8.0), Some(1.0)];
        for (most, due) in [(1.0, 0.5), (4.0, 0.8), (20.0, 8.0 / 9.0)] {
            let schedule = Schedule::by_load(&weights, most);
            let turns = (0..schedule.len() as u64).filter(|nth| schedule.turn(*nth) == 0);
            let share = turns.count() as f64 / schedule.len() as f64;
            assert!((share - due).abs() < 0.01, "{most}: {share}");
        }
    }

    #[test]
    fn among_ten_thousand_a_hundredth_less_is_not_a_quarter_less() {
        let weights: Vec<_> = (0..10_000)
            .map(|n| Some(1.0 + f64::from(n % 3) / 100.0))
            .collect();
        let shares = shares(&weights);
        for share in shares {
            assert!((share * 10_000.0 - 1.0).abs() < 0.1, "{share}");
        }
    }

    #[test]
    fn everybody_comes_and_nobody_too_often_whatever_all_claim() {
        let dice = ziggurat_core::Dice::seeded(7);
        for endpoints in [2, 9, 10, 11, 19, 20, 21, 100, 1_000, 10_000] {
            let weights: Vec<_> = (0..endpoints)
                .map(|_| (dice.below(8) > 0).then(|| 10_f64.powf(dice.fraction() * 616.0 - 308.0)))
                .collect();
            // The median and all above it have a share at least.
            let most = 1.1 * MOST / (MOST + (endpoints - 1) as f64 / 3.0);
            let shares = shares(&weights);
            assert!(shares.iter().all(|share| *share > 0.0), "{endpoints}");
            assert!(
                shares.iter().all(|share| *share < most),
                "{endpoints} {shares:?}"
            );
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
