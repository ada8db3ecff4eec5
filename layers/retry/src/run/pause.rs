//! How long to wait before the next attempt of an operation.

use crate::course::LONGEST_HINT;
use std::{any::Any, error::Error, sync::Arc, time::Duration};
use ziggurat_core::{Backoff, BoxError, Deadline, Dice, Rejection, error};

/// The pauses of one operation.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// Computed delays since somebody last named one.
    step: u32,
    /// The last computed delay.
    delay: Duration,
    /// What the last failure named.
    hint: Option<Duration>,
}

// === impl Pauses ===

impl Pauses {
    /// The next one: what was asked for, exactly, or what is computed, from the beginning after that.
    pub(super) fn next(
        &mut self,
        hint: Option<Duration>,
        backoff: &Backoff,
        dice: &Dice,
    ) -> Duration {
        self.hint = hint;
        if let Some(hint) = hint {
            (self.step, self.delay) = (0, Duration::ZERO);
            return hint;
        }
        self.step += 1;
        self.delay = backoff.delay_after(self.delay, self.step, dice);
        self.delay
    }

    /// Is it of no use to wait until `next`?
    pub(super) fn is_too_late(&self, next: Deadline, deadline: Option<Deadline>) -> bool {
        match deadline {
            Some(deadline) => deadline <= next,
            None => self.hint.is_some_and(|hint| hint > LONGEST_HINT),
        }
    }

    /// What the failure before the present attempt asked for.
    pub(super) const fn hint(&self) -> Option<Duration> {
        self.hint
    }
}

/// How long the [`Rejection`] that an error is, or that caused the error in a box, wants to be left alone.
pub(super) fn retry_after<E: 'static>(error: &E) -> Option<Duration> {
    let any: &dyn Any = error;
    if let Some(rejection) = any.downcast_ref::<Rejection>() {
        return rejection.retry_after();
    }
    let error: &(dyn Error + 'static) = if let Some(error) = any.downcast_ref::<BoxError>() {
        &**error
    } else if let Some(error) = any.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        &**error
    } else if let Some(error) = any.downcast_ref::<Box<dyn Error>>() {
        &**error
    } else {
        return None;
    };
    error::find::<Rejection>(error)?.retry_after()
}
