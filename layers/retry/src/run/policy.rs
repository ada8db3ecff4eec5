//! When an operation is tried again.

use super::{Last, pause};
use crate::{Budget, ByPredicate, Rules};
use std::{fmt, time::Duration};
use ziggurat_core::{Backoff, Deadline, Dice, InvalidSetting};

/// When and how often [`run`](crate::run()) tries an operation again.
///
/// Clones share the budget. `P` says which errors are worth another try; all are, until
/// [`retry_if`](Self::retry_if) says otherwise.
///
/// # Defaults
///
/// | knob | default |
/// |---|---|
/// | [`max_retries`](Self::max_retries) | 3, so 4 attempts |
/// | [`backoff`](Self::backoff) | 100 ms, times 2, up to 5 s, 20 % either way |
/// | [`attempt_timeout`](Self::attempt_timeout) | none |
/// | [`deadline`](Self::deadline_from) | none |
/// | [`budget`](Self::budget) | its own: 0.2 of a retry for every run, 10 for every second |
/// | [`chain_stop`](Self::chain_stop) | yes |
#[derive(Clone)]
pub struct Policy<P = Always> {
    pub(super) max_retries: u32,
    pub(super) backoff: Backoff,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) budget: Budget,
    pub(super) rules: Rules,
    pub(super) chain_stop: bool,
    pub(super) dice: Dice,
    deadline: fn() -> Option<Deadline>,
    predicate: P,
}

/// Says whether an error is worth another try.
pub trait Retryable<E> {
    /// Is it?
    fn is_retryable(&self, error: &E) -> bool;

    /// How long whoever failed wants to be left alone, if the error tells.
    fn retry_after(&self, error: &E) -> Option<Duration> {
        let _ = error;
        None
    }
}

/// Every error is worth another try.
///
/// How long to wait a [`Rejection`](ziggurat_core::Rejection) says, if it is one, or caused a boxed one.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Always;

/// As `P` says, but for how long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Heeding<P, F> {
    inner: P,
    hint: F,
}

// === impl Policy ===

impl Default for Policy {
    fn default() -> Self {
        let (initial, max) = (Duration::from_millis(100), Duration::from_secs(5));
        Self {
            max_retries: 3,
            backoff: Backoff::new(initial, 2.0, max).expect("100 ms is above zero and below 5 s"),
            attempt_timeout: None,
            budget: Budget::new(),
            rules: Rules::default(),
            chain_stop: true,
            dice: Dice::new(),
            deadline: || None,
            predicate: Always,
        }
    }
}

impl Policy {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<P> Policy<P> {
    /// How often an operation is tried again; it is made once more than that.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// How long to wait before each retry.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long one attempt may take. What was cut short is tried again.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        if timeout.is_zero() {
            let (name, rule) = ("attempt_timeout", "must not be zero");
            return Err(InvalidSetting::new("retry policy", name, timeout, rule));
        }
        self.attempt_timeout = Some(timeout);
        Ok(self)
    }

    /// Asks, when an operation begins, when it must be over: `ziggurat_deadline::current` knows of the
    /// request that is served here.
    #[must_use]
    pub fn deadline_from(mut self, deadline: fn() -> Option<Deadline>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Draws on `budget`, together with whoever else does, by these rules.
    #[must_use]
    pub fn budget(mut self, budget: Budget, rules: Rules) -> Self {
        self.budget = budget;
        self.rules = rules;
        self
    }

    /// Whether an operation that serves another call's further attempt is made once only: see
    /// [`chain`](crate::chain).
    #[must_use]
    pub fn chain_stop(mut self, stop: bool) -> Self {
        self.chain_stop = stop;
        self
    }

    /// Draws the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Tries again only after those errors that `predicate` picks.
    #[must_use]
    pub fn retry_if<F>(self, predicate: F) -> Policy<ByPredicate<F>> {
        self.judging_by(|_| ByPredicate::new(predicate))
    }

    /// Asks `hint` how long an error wants to be left alone, for errors that say so in a way of their
    /// own; what it knows nothing of is asked as before. Last, as [`retry_if`](Self::retry_if) forgets it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ziggurat_retry::{Policy, run};
    ///
    /// struct Busy(Duration);
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let policy = Policy::new().heed(|Busy(time)| Some(*time));
    /// let began = tokio::time::Instant::now();
    /// let answer = run(&policy, async |attempt| match attempt.number() {
    ///     1 => Err(Busy(Duration::from_secs(3))),
    ///     number => Ok(number),
    /// });
    /// assert_eq!(answer.await.ok(), Some(2));
    /// assert_eq!(began.elapsed().as_secs(), 3);
    /// # }
    /// ```
    #[must_use]
    pub fn heed<E, F>(self, hint: F) -> Policy<Heeding<P, F>>
    where
        F: Fn(&E) -> Option<Duration>,
    {
        self.judging_by(|inner| Heeding { inner, hint })
    }

    fn judging_by<Q>(self, by: impl FnOnce(P) -> Q) -> Policy<Q> {
        Policy {
            max_retries: self.max_retries,
            backoff: self.backoff,
            attempt_timeout: self.attempt_timeout,
            budget: self.budget,
            rules: self.rules,
            chain_stop: self.chain_stop,
            dice: self.dice,
            deadline: self.deadline,
            predicate: by(self.predicate),
        }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        (self.deadline)()
    }

    pub(super) fn is_retryable<E>(&self, last: &Last<E>) -> bool
    where
        P: Retryable<E>,
    {
        match last {
            Last::Error(error) => self.predicate.is_retryable(error),
            Last::TimedOut(_) => true,
        }
    }

    /// How long whoever failed wants to be left alone, if that is known.
    pub(super) fn retry_after<E>(&self, last: &Last<E>) -> Option<Duration>
    where
        P: Retryable<E>,
    {
        match last {
            Last::Error(error) => self.predicate.retry_after(error),
            Last::TimedOut(_) => None,
        }
    }
}

impl<P> fmt::Debug for Policy<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("max_retries", &self.max_retries)
            .field("backoff", &self.backoff)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

// === impl Retryable ===

impl<E: 'static> Retryable<E> for Always {
    fn is_retryable(&self, _: &E) -> bool {
        true
    }

    fn retry_after(&self, error: &E) -> Option<Duration> {
        pause::retry_after(error)
    }
}

impl<E: 'static, F: Fn(&E) -> bool> Retryable<E> for ByPredicate<F> {
    fn is_retryable(&self, error: &E) -> bool {
        self.matches(error)
    }

    fn retry_after(&self, error: &E) -> Option<Duration> {
        pause::retry_after(error)
    }
}

impl<E, P, F> Retryable<E> for Heeding<P, F>
where
    P: Retryable<E>,
    F: Fn(&E) -> Option<Duration>,
{
    fn is_retryable(&self, error: &E) -> bool {
        self.inner.is_retryable(error)
    }

    fn retry_after(&self, error: &E) -> Option<Duration> {
        (self.hint)(error).or_else(|| self.inner.retry_after(error))
    }
}
