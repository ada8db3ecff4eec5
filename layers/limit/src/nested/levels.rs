//! All the limits that one call must pass, and how it passes all or none.
//!
//! ```text
//!  the keys ──▶ a look at all ──▶ method ──▶ tenant ──▶ total ──▶ admitted
//!                 │ one refuses       │          │         │
//!                 └▶ costs none       ◀──────────┴─────────┘ somebody was quicker: those before it
//!                                                            get theirs back
//! ```
//!
//! Each is taken by itself, without a lock around all, and the innermost first. The total is the last, so
//! nothing is ever given back to it, and it can be one that many threads share well. Nobody ever gets more
//! of a limit than it allows: what is given back was taken before.

use super::level::{Ask, Level, Total};
use crate::{
    error::Refusal,
    shared::{Origin, Told},
};
use std::{fmt, sync::Arc};

pub(super) struct Levels<Req> {
    total: Total,
    /// Outermost first.
    within: Vec<Arc<dyn Level<Req>>>,
    origin: Origin,
    observer: Told,
}

/// What is asked of one level and all that are around it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Of the innermost: look at all around it, then take.
    Enter,
    Take,
    /// Whoever is told when to come back is told when all of them would let it.
    Look,
}

// === impl Levels ===

impl<Req: 'static> Levels<Req> {
    pub(super) fn new(total: Total) -> Self {
        Self {
            total,
            within: Vec::new(),
            origin: Origin::default(),
            observer: Told::default(),
        }
    }

    pub(super) fn and(&self, level: &impl Level<Req>) -> Self {
        let mut levels = self.isolated();
        levels.within.push(level.fresh(&self.observer));
        levels
    }

    pub(super) fn with_observer(&self, observer: Told) -> Self {
        let within = self.within.iter().map(|level| level.fresh(&observer));
        Self {
            total: self.total.fresh(),
            within: within.collect(),
            origin: Origin::default(),
            observer,
        }
    }

    pub(super) fn isolated(&self) -> Self {
        self.with_observer(self.observer.clone())
    }

    /// Takes what a call costs of every limit, or of none.
    pub(super) fn take(&self, request: &Req, cost: u32) -> Result<(), Refusal> {
        let ask = Ask {
            cost,
            now: self.origin.nanos(),
            origin: &self.origin,
        };
        let total = |step| match step {
            Step::Enter | Step::Take => self.total.take(ask),
            Step::Look => self.total.look(ask),
        };
        let taken = pass(&self.within, request, ask, &total);
        taken.inspect_err(|refusal| self.observer.hear(refusal))
    }
}

impl<Req> fmt::Debug for Levels<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels")
            .field("levels", &(self.within.len() + 1))
            .finish_non_exhaustive()
    }
}

/// Finds all keys on the way in, and takes on the way out: what is remembered stands on the stack.
fn pass<Req: 'static>(
    levels: &[Arc<dyn Level<Req>>],
    request: &Req,
    ask: Ask<'_>,
    around: &dyn Fn(Step) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let Some((level, within)) = levels.split_first() else {
        return around(Step::Enter);
    };
    let under = level.find(request)?;
    let refused = |refusal| Err(longer(refusal, around(Step::Look)));
    let this_and_around = |step| {
        if matches!(step, Step::Enter)
            && let Err(outer) = around(Step::Look)
        {
            return match level.look(under, ask) {
                Ok(()) => Err(outer),
                Err(refusal) => Err(longer(refusal, Err(outer))),
            };
        }
        match step {
            Step::Look => match level.look(under, ask) {
                Ok(()) => around(Step::Look),
                Err(refusal) => refused(refusal),
            },
            Step::Enter | Step::Take => match level.take(under, ask) {
                Ok(found) => {
                    let give_back = |_: &Refusal| level.give_back(under, found, ask);
                    around(Step::Take).inspect_err(give_back)
                }
                Err(refusal) => refused(refusal),
            },
        }
    };
    pass(within, request, ask, &this_and_around)
}

/// What no waiting helps outranks what some waiting does, and the outer of two.
fn longer(inner: Refusal, outer: Result<(), Refusal>) -> Refusal {
    match (inner, outer) {
        (inner, Ok(())) => inner,
        (Refusal::Limited(inner), Err(Refusal::Limited(outer))) => {
            Refusal::Limited(inner.max(outer))
        }
        (inner, Err(Refusal::Limited(_))) => inner,
        (_, Err(outer)) => outer,
    }
}

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
