//! The better of two, drawn at random.

use super::{Call, Candidates, Policy};
use ziggurat_core::{Dice, State};

/// Draws two endpoints and takes the one with the lower load.
///
/// As good as looking at all of them, for the cost of looking at two, and nobody is swamped because
/// he looked best to everyone at once (Mitzenmacher: "The power of two choices in randomized load
/// balancing", 2001). Endpoints are drawn by their share; what is not ready, and what an earlier
/// attempt of the call went to, is drawn only when there is nothing else. When both do much worse
/// than is usual, more are drawn.
#[derive(Clone, Debug, Default)]
pub struct P2c {
    dice: Dice,
}

/// One that was drawn, and what it looked like then.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    index: usize,
    load: f64,
    grown: f64,
}

/// So many draws find two that are ready among many of which most are.
const DRAWS: usize = 8;
/// With so many times the usual load, an endpoint is not taken without another draw.
const MUCH: f64 = 4.0;
/// All threads read what is usual, so it is not written by every pick.
const LEARN_EVERY: u64 = 16;

// === impl P2c ===

impl P2c {
    /// Draws with `dice`.
    #[must_use]
    pub const fn new(dice: Dice) -> Self {
        Self { dice }
    }

    /// One that is not `but`, which may be no index at all.
    fn draw(&self, len: usize, but: Option<usize>) -> usize {
        let Some(but) = but else {
            return self.dice.below(len);
        };
        let drawn = self.dice.below(len - 1);
        drawn + usize::from(drawn >= but)
    }

    fn comes_up(&self, chance: f64) -> bool {
        chance >= 1.0 || self.dice.fraction() < chance
    }

    /// Learns, from some of the picks, what load is usual.
    fn taken(&self, among: &Candidates<'_>, drawn: Drawn) -> usize {
        if among.usual_load() == 0.0 || self.dice.number().is_multiple_of(LEARN_EVERY) {
            among.learn(drawn.load);
        }
        drawn.index
    }

    /// The lighter one; one that is younger than the other comes up by its age, unless it is so much
    /// lighter that its age does not matter.
    fn better(&self, one: Drawn, other: Drawn) -> Drawn {
        let swapped = other.grown > one.grown;
        let (old, young) = if swapped { (other, one) } else { (one, other) };
        let chance = young.grown / old.grown;
        // Of two that are equal, the one that was drawn first.
        let lighter = young.load < old.load || swapped && young.load == old.load;
        if young.load < old.load * chance || lighter && self.comes_up(chance) {
            young
        } else {
            old
        }
    }
}

impl Policy for P2c {
    fn pick(&self, among: &Candidates<'_>, call: &Call<'_>) -> Option<usize> {
        let len = among.len();
        let draws = match len {
            0 => return None,
            1 => return among.is_open(0).then_some(0),
            2 => 2,
            _ => DRAWS,
        };
        let mut last = None;
        let mut first: Option<Drawn> = None;
        // Drawn, and turned down for its weight: it serves when nobody heavier is there.
        let mut spare: Option<Drawn> = None;
        for _ in 0..draws {
            let index = self.draw(len, last);
            if first.is_none() {
                last = Some(index);
            }
            if !is_good(among, call, index) {
                continue;
            }
            let drawn = Drawn::new(among, index);
            match (first, self.comes_up(among.weight(index))) {
                (Some(other), true) => {
                    let better = self.better(other, drawn);
                    if better.load <= among.usual_load() * MUCH {
                        return Some(self.taken(among, better));
                    }
                    // Two that do badly have met. They are few, or it would be usual.
                    first = Some(better);
                    last = Some(better.index);
                }
                (None, true) => {
                    first = Some(drawn);
                    last = Some(index);
                }
                (_, false) => {
                    let spared = spare.map(|spare| self.better(spare, drawn));
                    spare = Some(spared.unwrap_or(drawn));
                }
            }
        }
        let drawn = match (first, spare) {
            (Some(first), Some(spare)) => Some(self.better(first, spare)),
            (first, spare) => first.or(spare),
        };
        let taken = drawn.map(|drawn| self.taken(among, drawn));
        taken.or_else(|| best(among, call))
    }
}

// === impl Drawn ===

impl Drawn {
    fn new(among: &Candidates<'_>, index: usize) -> Self {
        Self {
            index,
            load: among.load(index),
            grown: among.grown(index),
        }
    }
}

fn is_good(among: &Candidates<'_>, call: &Call<'_>, index: usize) -> bool {
    among.state(index) == State::Ready && among.is_open(index) && !call.has_tried(among.id(index))
}

/// Looks at all of them: ready before idle, new to the call before tried, light before heavy.
fn best(among: &Candidates<'_>, call: &Call<'_>) -> Option<usize> {
    let open = (0..among.len()).filter(|index| among.is_open(*index));
    let ranked = open.map(|index| {
        let tried = call.has_tried(among.id(index));
        ((among.state(index), tried), among.load(index), index)
    });
    let better = |a: &((State, bool), f64, usize), b: &((State, bool), f64, usize)| {
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    };
    ranked.min_by(better).map(|(_, _, index)| index)
}

#[cfg(test)]
mod tests;
