//! One after the other.

use super::{Arrange, Call, Candidates, Endpoints, Policy, schedule::Schedule};
use crate::{LoadReports, stripe::Stripes};
use ziggurat_core::Dice;

/// Takes one endpoint after the other, as often as it is heavy.
///
/// Every thread goes round by itself, from a place of its own: nothing is shared, and the more calls
/// there are the more evenly they spread. Who is new comes up by its share of slow start. Like
/// [`LeastRequest`](super::LeastRequest) it knows nothing of failures and latencies, and wants health
/// checks that eject.
///
/// # Defaults
///
/// [`weighted`](Self::weighted) goes by the endpoints' weights, [`plain`](Self::plain) takes them alike,
/// [`by_load`](Self::by_load) goes by what they report of their load.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    by: By,
    turns: Stripes,
    dice: Dice,
}

/// What makes an endpoint heavy.
#[derive(Clone, Copy, Debug)]
enum By {
    /// Nothing.
    Turn,
    Weight,
    Load(LoadReports),
}

/// So many turns are looked at, before all endpoints are.
const TURNS: usize = 16;

// === impl RoundRobin ===

impl RoundRobin {
    /// All endpoints alike, whatever they weigh.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(By::Turn, Dice::new())
    }

    /// Each endpoint as often as it is heavy; and as smoothly: of weights 5, 1 and 1 the first does
    /// not come five times in a row.
    #[must_use]
    pub fn weighted() -> Self {
        Self::new(By::Weight, Dice::new())
    }

    /// Each endpoint as often as it has room: by `qps / (utilization + eps / qps * penalty)`, of what it
    /// says in the trailers of its answers (gRFC A58 `weighted_round_robin`, whose schedule ours is but
    /// for being smoother, and bounded; reports of a request each as in gRFC A51, none out of band).
    ///
    /// One whose reports do not count, or not yet, gets the mean of the others'. While fewer than two
    /// have a weight all come alike, whatever they weigh elsewhere. Nobody gets more than
    /// [`at_most`](LoadReports::at_most) times the median, whatever he says, so of `n`
    /// endpoints a liar has `4 / (n + 3)` of the calls by default; nor less than a tenth of it.
    #[must_use]
    pub fn by_load(reports: LoadReports) -> Self {
        Self::new(By::Load(reports), Dice::new())
    }

    /// Draws where to begin, and who of the new ones comes up, with `dice`: a seeded one replays a
    /// test.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        Self::new(self.by, dice)
    }

    fn new(by: By, dice: Dice) -> Self {
        Self {
            by,
            turns: Stripes::new(dice.clone()),
            dice,
        }
    }
}

impl Arrange for RoundRobin {
    type Table = Schedule;

    fn arrange(&self, endpoints: &Endpoints<'_>) -> Schedule {
        match self.by {
            By::Turn => Schedule::plain(endpoints.len()),
            By::Weight => {
                let weights: Vec<_> = endpoints.iter().map(|(_, weight)| weight).collect();
                Schedule::weighted(&weights)
            }
            By::Load(reports) => Schedule::by_load(&endpoints.load_weights(), reports.most()),
        }
    }

    fn load_reports(&self) -> Option<LoadReports> {
        match self.by {
            By::Load(reports) => Some(reports),
            By::Turn | By::Weight => None,
        }
    }
}

impl<Req> Policy<Req> for RoundRobin {
    fn pick(
        &self,
        schedule: &Schedule,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize> {
        if among.is_empty() {
            return None;
        }
        let (mut young, mut seen) = (None, 0);
        for _ in 0..TURNS {
            let index = schedule.turn(self.turns.next());
            if !among.is_good(index, call) {
                continue;
            }
            let share = among.share(index);
            if share >= 1.0 || self.dice.fraction() < share {
                return Some(index);
            }
            // Any of them: where they come to whole rounds the first is the same one every time.
            seen += 1;
            if self.dice.below(seen) == 0 {
                young = Some(index);
            }
        }
        young.or_else(|| among.best(call))
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
