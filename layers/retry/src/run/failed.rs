//! What an operation ended with that did not succeed.

use crate::AttemptTimedOut;
use std::{error::Error, fmt, time::Duration};

/// The last attempt's failure; its [`source`](Error::source) is the error itself.
#[derive(Clone, Debug)]
pub struct Failed<E> {
    attempts: u32,
    last: Last<E>,
}

/// How the last attempt failed.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "an attempt answers or it does not")]
pub enum Last<E> {
    /// It answered with this.
    Error(E),
    /// It was cut short, by its own timeout or by the deadline of the whole.
    TimedOut(AttemptTimedOut),
}

// === impl Failed ===

impl<E> Failed<E> {
    pub(super) const fn new(attempts: u32, last: Last<E>) -> Self {
        Self { attempts, last }
    }

    /// How many attempts were made.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What the last attempt answered; `None` if it was cut short.
    #[must_use]
    pub const fn error(&self) -> Option<&E> {
        match &self.last {
            Last::Error(error) => Some(error),
            Last::TimedOut(_) => None,
        }
    }

    /// How the last attempt failed.
    #[must_use]
    pub fn into_last(self) -> Last<E> {
        self.last
    }
}

impl<E> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts {
            1 => f.write_str("failed after 1 attempt"),
            attempts => write!(f, "failed after {attempts} attempts"),
        }
    }
}

impl<E: Error + 'static> Error for Failed<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.last {
            Last::Error(error) => error,
            Last::TimedOut(error) => error,
        })
    }
}

// === impl Last ===

impl<E> Last<E> {
    pub(super) fn timed_out(number: u32, after: Duration) -> Self {
        Self::TimedOut(AttemptTimedOut::new(number, after))
    }
}
