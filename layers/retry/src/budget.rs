//! How many more attempts the calls to one destination may cost, together.

mod in_flight;
mod purse;
mod rules;
mod throttle;

use self::{
    in_flight::InFlight,
    purse::Purse,
    rules::{Earning, Income},
    throttle::Throttle,
};
use std::{fmt, sync::Arc};
use ziggurat_core::clock::{self, Instant};

pub use self::rules::Rules;

/// What retries and hedges of one destination have left; clones share it.
///
/// It keeps the score, and the [`Rules`] come with every question, so that they may change under it.
/// Whoever makes calls of his own within it says [`call`](Self::call) for each,
/// [`withdraw`](Self::withdraw) before each further attempt, and how they
/// [succeed](Self::succeeded) or [fail](Self::failed).
///
/// ```
/// use ziggurat_core::clock;
/// use ziggurat_retry::{Budget, Rules};
///
/// let (budget, rules) = (Budget::new(), Rules::ratio(0.5, 0)?);
/// let now = clock::now();
/// let _calls = [budget.call(&rules, now), budget.call(&rules, now)];
/// // Two calls have earned one further attempt.
/// let mut permit = budget.withdraw(&rules, now).ok_or("it was earned")?;
/// permit.spend();
/// assert!(budget.withdraw(&rules, now).is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<Score>);

/// One further attempt, which the budget has paid for.
///
/// It is in flight until this is dropped; dropped before it is [spent](Self::spend), it is paid back.
pub struct Permit {
    budget: Budget,
    income: Option<Income>,
    spent: bool,
    /// It has a place among those in flight.
    placed: bool,
}

/// One call, which is in flight until this is dropped.
#[derive(Debug, Default)]
#[must_use = "the call counts as over once this is dropped"]
pub struct Counted(Option<Budget>);

#[derive(Debug, Default)]
struct Score {
    purse: Purse,
    throttle: Throttle,
    in_flight: InFlight,
}

// === impl Budget ===

impl Budget {
    /// A destination of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A call begins.
    pub fn call(&self, rules: &Rules, now: Instant) -> Counted {
        self.call_at(rules, || now)
    }

    /// A call begins; asks for the time once in a while.
    #[inline(always)]
    pub(crate) fn call_at(&self, rules: &Rules, now: impl FnOnce() -> Instant) -> Counted {
        if let Earning::Income(income) = rules.earning {
            self.0.purse.deposit(income, now);
        }
        Counted(rules.in_flight.is_some().then(|| {
            self.0.in_flight.call();
            self.clone()
        }))
    }

    /// Pays for a further attempt, if there is enough, and a place for it among those in flight.
    #[must_use]
    pub fn withdraw(&self, rules: &Rules, now: Instant) -> Option<Permit> {
        let score = &*self.0;
        let placed = match rules.in_flight {
            Some(share) if !score.in_flight.enter(share) => return None,
            share => share.is_some(),
        };
        let mut permit = Permit {
            budget: self.clone(),
            income: None,
            spent: true,
            placed,
        };
        match rules.earning {
            Earning::Income(income) => {
                if !score.purse.withdraw(income, now) {
                    return None;
                }
                permit.income = Some(income);
                permit.spent = false;
            }
            Earning::Tokens(tokens) => {
                if !score.throttle.allows(tokens) {
                    return None;
                }
            }
        }
        Some(permit)
    }

    /// An attempt has succeeded: of interest to [throttling](Rules::throttling) alone.
    pub fn succeeded(&self, rules: &Rules) {
        if let Earning::Tokens(tokens) = rules.earning {
            self.0.throttle.succeed(tokens);
        }
    }

    /// An attempt has failed in a way that is tried again, or the server said not to: of interest to
    /// [throttling](Rules::throttling) alone.
    pub fn failed(&self, rules: &Rules) {
        if let Earning::Tokens(tokens) = rules.earning {
            self.0.throttle.fail(tokens);
        }
    }
}

// === impl Permit ===

impl Permit {
    /// The attempt is made.
    pub const fn spend(&mut self) {
        self.spent = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let score = &*self.budget.0;
        if let Some(income) = self.income.filter(|_| !self.spent) {
            score.purse.refund(income, clock::now());
        }
        if self.placed {
            score.in_flight.leave();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

// === impl Counted ===

impl Counted {
    /// The call is over.
    #[inline]
    pub(crate) fn end(&mut self) {
        if self.0.is_some() {
            *self = Self::default();
        }
    }
}

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        if let Some(budget) = &self.0 {
            budget.0.in_flight.over();
        }
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
