//! The one with the fewest open calls, of a few drawn at random.

use super::{Arrange, Call, Candidates, Endpoints, Policy};
use std::num::NonZeroUsize;
use ziggurat_core::{Dice, InvalidSetting};

/// Draws some endpoints and takes the one with the fewest open calls for its weight (gRFC A48).
///
/// Where weights differ endpoints are drawn by them, so that those that are idle come as often as they
/// are heavy.
///
/// It knows nothing of latencies and failures: an endpoint that fails fast looks idle, so it wants
/// health checks that eject (`ziggurat-health`). What does not answer at all gets little.
///
/// # Defaults
///
/// Two are drawn.
#[derive(Clone, Debug)]
pub struct LeastRequest {
    choices: usize,
    dice: Dice,
}

const FEWEST: usize = 2;
/// gRFC A48.
const MOST: usize = 10;
/// For each that is wanted so many are drawn, before all are looked at.
const DRAWS: usize = 4;

// === impl LeastRequest ===

impl Default for LeastRequest {
    fn default() -> Self {
        Self {
            choices: FEWEST,
            dice: Dice::new(),
        }
    }
}

impl LeastRequest {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws so many endpoints for every call.
    ///
    /// # Errors
    ///
    /// If it is not from 2 to 10.
    pub fn choices(mut self, choices: NonZeroUsize) -> Result<Self, InvalidSetting> {
        if !(FEWEST..=MOST).contains(&choices.get()) {
            let rule = "must be from 2 to 10";
            return Err(InvalidSetting::new(
                "least request",
                "choices",
                choices,
                rule,
            ));
        }
        self.choices = choices.get();
        Ok(self)
    }

    /// Draws with `dice`: a seeded one replays a test.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }
}

impl Arrange for LeastRequest {
    type Table = ();

    fn arrange(&self, _: &Endpoints<'_>) {}
}

impl<Req> Policy<Req> for LeastRequest {
    fn pick(&self, (): &(), among: &Candidates<'_>, call: &Call<'_, Req>) -> Option<usize> {
        let wanted = self.choices.min(among.len());
        let by_weight = among.weights().differ();
        let mut found = 0;
        let mut least: Option<(f64, usize)> = None;
        for _ in 0..wanted * DRAWS {
            let index = among.draw(&self.dice)?;
            // Twice the same one would be no choice; but it is what the heavy one is due.
            let is_known = least.is_some_and(|(_, least)| least == index);
            if is_known && !by_weight || !among.is_good(index, call) {
                continue;
            }
            let share = among.share(index);
            if share == 0.0 {
                continue;
            }
            let requests = (among.pending(index) as f64 / among.weight(index) + 1.0) / share;
            if least.is_none_or(|(fewest, _)| requests < fewest) {
                least = Some((requests, index));
            }
            found += 1;
            if found == wanted {
                break;
            }
        }
        least.map(|(_, index)| index).or_else(|| among.best(call))
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
