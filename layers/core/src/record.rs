//! Telling once, and only once, how a call ended.

use crate::{Deadline, Outcome, clock};
use std::{cell::Cell, mem};

/// What a layer does when a call that it admitted has ended.
///
/// A layer never settles a record by hand: it puts it into a [`Recorder`], which does so exactly
/// once, whatever is dropped when.
pub trait Record: Send + 'static {
    /// The head of the response is here and the outcome is still open: a stream has begun.
    fn responded(&mut self) {}

    /// The call has ended like this.
    fn settle(self, outcome: Outcome);
}

/// Settles a [`Record`] exactly once.
///
/// Dropped unsettled, the call was cancelled by its caller; unless its deadline has passed by then
/// or somebody lets it [`expire`]: whoever dropped it was a timer, and that is a
/// [`Timeout`](Outcome::Timeout).
///
/// It has one owner and shares nothing with another thread: that it settles once is a matter of moves
/// and drops, of which no interleaving can be wrong.
#[derive(Debug)]
#[must_use = "dropping a recorder records a cancelled call"]
pub struct Recorder<R: Record> {
    record: Option<R>,
    deadline: Option<Deadline>,
}

thread_local! {
    static EXPIRING: Cell<bool> = const { Cell::new(false) };
}

// === impl Recorder ===

// Inlined by force: a recorder is moved through every future of a stack, and what is inlined is not
// moved. It is worth about 10 ns a call.
impl<R: Record> Recorder<R> {
    /// Takes charge of `record` for a call that must be over by `deadline`.
    #[inline(always)]
    pub const fn new(record: R, deadline: Option<Deadline>) -> Self {
        Self {
            record: Some(record),
            deadline,
        }
    }

    /// The head of the response is here and the outcome is still open.
    #[inline(always)]
    pub fn responded(&mut self) {
        if let Some(record) = &mut self.record {
            record.responded();
        }
    }

    /// The call has ended like this.
    #[inline(always)]
    #[allow(clippy::mem_forget, reason = "nothing is left in it")]
    pub fn settle(mut self, outcome: Outcome) {
        let (record, deadline) = (self.record.take(), self.deadline);
        // What is dropped has an address, and what has an address is not kept in registers.
        mem::forget(self);
        conclude(record, deadline, outcome);
    }

    /// The peer has answered like this. To a caller who reads it, a call that was cancelled is none
    /// that he has lost interest in: a timer of the peer's ended it, or somebody behind the peer.
    pub(crate) fn answered(self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Cancelled if !is_late(self.deadline) => Outcome::Failure,
            outcome => outcome,
        };
        self.settle(outcome);
    }
}

impl<R: Record> Drop for Recorder<R> {
    #[inline(always)]
    fn drop(&mut self) {
        conclude(self.record.take(), self.deadline, Outcome::Cancelled);
    }
}

// === impl Record for compounds ===

impl Record for () {
    fn settle(self, _: Outcome) {}
}

impl<R: Record> Record for Option<R> {
    fn responded(&mut self) {
        if let Some(record) = self {
            record.responded();
        }
    }

    fn settle(self, outcome: Outcome) {
        if let Some(record) = self {
            record.settle(outcome);
        }
    }
}

/// Two layers may share one recorder, and with it one wrapped body.
impl<A: Record, B: Record> Record for (A, B) {
    fn responded(&mut self) {
        self.0.responded();
        self.1.responded();
    }

    fn settle(self, outcome: Outcome) {
        self.0.settle(outcome);
        self.1.settle(outcome);
    }
}

#[inline(always)]
fn conclude<R: Record>(record: Option<R>, deadline: Option<Deadline>, outcome: Outcome) {
    let Some(record) = record else {
        return;
    };
    // A peer's own timer, or one outside this stack, looks like a caller who lost interest.
    record.settle(match outcome {
        Outcome::Cancelled if EXPIRING.get() || is_late(deadline) => Outcome::Timeout,
        outcome => outcome,
    });
}

fn is_late(deadline: Option<Deadline>) -> bool {
    deadline.is_some_and(|deadline| deadline.is_over(clock::now()))
}

/// Runs `end`, which drops what is left of a call because its time is up: to every [`Recorder`] in
/// it that is a [`Timeout`](Outcome::Timeout).
///
/// For a layer that gives a part of a call less time than the call's deadline, of which nobody else
/// knows. What another task holds is not dropped here, and still counts as cancelled.
pub fn expire<T>(end: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            EXPIRING.set(self.0);
        }
    }
    // Also when `end` panics.
    let _restore = Restore(EXPIRING.replace(true));
    end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic, sync::mpsc, time::Duration};

    struct Tell(mpsc::Sender<Outcome>);

    impl Record for Tell {
        fn settle(self, outcome: Outcome) {
            self.0.send(outcome).unwrap();
        }
    }

    #[test]
    fn a_recorder_settles_once_whatever_is_dropped() {
        let (tell, told) = mpsc::channel();
        Recorder::new(Tell(tell.clone()), None).settle(Outcome::Success);
        drop(Recorder::new((Tell(tell.clone()), Some(Tell(tell))), None));
        let told: Vec<_> = told.iter().collect();
        assert_eq!(
            told,
            [Outcome::Success, Outcome::Cancelled, Outcome::Cancelled]
        );
    }

    #[test]
    fn a_call_that_a_timer_ends_before_its_deadline_timed_out() {
        let (tell, told) = mpsc::channel();
        let recorder = || Recorder::new(Tell(tell.clone()), None);
        let late = recorder();
        expire(|| drop(late));
        drop(recorder());
        let late = recorder();
        expire(|| {
            expire(|| ());
            drop(late);
        });
        let ended = recorder();
        expire(|| ended.settle(Outcome::Failure));
        panic::catch_unwind(|| expire(|| panic!("on purpose"))).unwrap_err();
        drop(recorder());
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(
            told,
            [
                Outcome::Timeout,
                Outcome::Cancelled,
                Outcome::Timeout,
                Outcome::Failure,
                Outcome::Cancelled
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_dropped_after_its_deadline_timed_out() {
        let (tell, told) = mpsc::channel();
        let deadline = Deadline::after(Duration::from_secs(1));
        drop(Recorder::new(Tell(tell.clone()), Some(deadline)));
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(Recorder::new(Tell(tell.clone()), Some(deadline)));
        Recorder::new(Tell(tell), Some(deadline)).settle(Outcome::Success);
        let told: Vec<_> = told.iter().collect();
        assert_eq!(
            told,
            [Outcome::Cancelled, Outcome::Timeout, Outcome::Success]
        );
    }
}
