//! The better of two, drawn at random.

use super::{Arrange, Call, Candidate, Candidates, Endpoints, Policy, usual::Usual};
use crate::stats::{UNKNOWN, Weighed};
use ziggurat_core::Dice;

/// Draws two endpoints and takes the one with the lower load.
///
/// As good as looking at all of them, for the cost of looking at two, and nobody is swamped because
/// he looked best to everyone at once (Mitzenmacher: "The power of two choices in randomized load
/// balancing", 2001). Endpoints are drawn by their weight: those that differ in weight are told apart
/// by their loads only when one has more than twice the other's. What is not ready, and what an
/// earlier attempt of the call went to, is drawn only when there is nothing else. When both do much
/// worse than is usual, more are drawn.
#[derive(Clone, Debug, Default)]
pub struct P2c {
    dice: Dice,
    /// The load of an endpoint that is picked.
    usual: Usual,
}

/// One that was drawn, and what it looked like then.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    index: usize,
    load: f64,
    grown: f64,
    weight: f64,
}

/// So many draws find two that are ready among many of which most are.
const DRAWS: usize = 8;
/// Of two that have different weights, loads this close to each other do not tell.
const ALIKE: f64 = 2.0;
/// With so many times the usual load, an endpoint is not taken without another draw.
const MUCH: f64 = 2.0;
/// All threads read what is usual, so it is not written by every pick.
const LEARN_EVERY: u64 = 16;

// === impl P2c ===

impl P2c {
    /// Draws with `dice`.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        Self {
            dice,
            usual: Usual::default(),
        }
    }

    /// Draws on, where the first two would not do; `best` is the better one, if both may be taken.
    #[inline(never)]
    fn search<Req>(
        &self,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
        usual: f64,
        mut best: Option<Drawn>,
    ) -> Option<usize> {
        let draws = match best {
            // There is no other.
            Some(_) if among.len() == 2 => 0,
            _ if among.len() == 2 => 2,
            _ => DRAWS,
        };
        let mut last = best.map(|best| best.index);
        for _ in 0..draws {
            let index = match last {
                Some(last) if best.is_some() || draws == 2 => self.another(among.len(), last),
                _ => among.draw(&self.dice)?,
            };
            if best.is_none() {
                last = Some(index);
            }
            let candidate = among.at(index);
            if !among.takes(candidate, call) {
                continue;
            }
            let drawn = Drawn::new(among, index, candidate);
            let better = best.map_or(drawn, |best| self.better(best, drawn));
            if best.is_some() && better.load <= usual * MUCH {
                return Some(self.taken(better.index, better.load, usual, self.dice.number()));
            }
            // It is alone, or two that do badly have met: they are few, or it would be usual.
            best = Some(better);
            last = Some(better.index);
        }
        match best {
            Some(best) => Some(self.taken(best.index, best.load, usual, self.dice.number())),
            None => among.best(call),
        }
    }

    /// One that is not `but`.
    fn another(&self, len: usize, but: usize) -> usize {
        let drawn = self.dice.below(len - 1);
        drawn + usize::from(drawn >= but)
    }

    fn comes_up(&self, chance: f64) -> bool {
        chance >= 1.0 || self.dice.fraction() < chance
    }

    /// Learns, from some of the picks, what load is usual.
    #[inline]
    fn taken(&self, index: usize, load: f64, usual: f64, number: u64) -> usize {
        let due = usual == 0.0 || number.is_multiple_of(LEARN_EVERY);
        if due && load < UNKNOWN {
            self.usual.learn(load);
        }
        index
    }

    fn better(&self, first: Drawn, second: Drawn) -> Drawn {
        if self.prefers(first, second) {
            first
        } else {
            second
        }
    }

    /// Is the first to be taken?
    #[inline]
    fn prefers(&self, first: Drawn, second: Drawn) -> bool {
        if first.is_like(&second) {
            return first.load <= second.load;
        }
        self.entitled(first, second).index == first.index
    }

    /// The one with the lower load; one that is entitled to less than the other comes up by its
    /// share, unless its load is so much lower that this does not matter.
    fn entitled(&self, first: Drawn, second: Drawn) -> Drawn {
        // The first was drawn by its weight. The second was not, and comes up by it: then the calls
        // go by weight when the loads do not tell (Metropolis et al., 1953).
        let share = second.grown * (second.weight / first.weight).min(1.0);
        let (large, small, chance) = if share > first.grown {
            (second, first, first.grown / share)
        } else {
            (first, second, share / first.grown)
        };
        // What is called less often has faded more, and that is no reason to call it more often.
        let alike = if first.weight == second.weight {
            1.0
        } else {
            ALIKE
        };
        let lighter = if first.load <= second.load * alike {
            first
        } else {
            second
        };
        let small_is_lighter = lighter.index == small.index;
        if small_is_lighter && (small.load < large.load * chance || self.comes_up(chance)) {
            small
        } else {
            large
        }
    }
}

impl Arrange for P2c {
    type Table = ();

    fn arrange(&self, _: &Endpoints<'_>) {}
}

impl<Req> Policy<Req> for P2c {
    #[inline(always)]
    fn pick(&self, (): &(), among: &Candidates<'_>, call: &Call<'_, Req>) -> Option<usize> {
        if among.len() < 2 {
            return (0..among.len()).find(|only| among.is_open(*only));
        }
        let (usual, number) = (self.usual.get(), self.dice.number());
        let (one, other) = two(among, number, &self.dice);
        let (first, second) = (among.at(one), among.at(other));
        if among.takes(first, call) && among.takes(second, call) {
            let first = Drawn::new(among, one, first);
            let second = Drawn::new(among, other, second);
            // Scalars: a struct that is chosen goes through memory.
            let is_first = self.prefers(first, second);
            let (index, load) = if is_first {
                (first.index, first.load)
            } else {
                (second.index, second.load)
            };
            if load <= usual * MUCH {
                return Some(self.taken(index, load, usual, number));
            }
            let better = if is_first { first } else { second };
            return self.search(among, call, usual, Some(better));
        }
        self.search(among, call, usual, None)
    }
}

// === impl Drawn ===

impl Drawn {
    #[inline(always)]
    fn new(among: &Candidates<'_>, index: usize, candidate: &Candidate) -> Self {
        let Weighed { load, grown } = among.weigh(candidate);
        Self {
            index,
            load,
            grown,
            weight: among.weights().part(candidate.weight()),
        }
    }

    /// Are both entitled to the same?
    fn is_like(&self, other: &Self) -> bool {
        self.grown == other.grown && self.weight == other.weight
    }
}

/// Two of them, from one number where they weigh the same; the first is as likely as it is heavy.
#[inline]
fn two(among: &Candidates<'_>, number: u64, dice: &Dice) -> (usize, usize) {
    let len = among.len();
    // 32 bits are enough to choose by, to within a part in a million of ten thousand.
    let scale = |half: u64, bound: usize| ((half * bound as u64) >> 32) as usize;
    let first = if among.weights().differ() {
        among.weights().draw(len, dice)
    } else {
        scale(number >> 32, len)
    };
    let drawn = scale(number & u64::from(u32::MAX), len - 1);
    (first, drawn + usize::from(drawn >= first))
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
