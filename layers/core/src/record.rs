//! Telling once, and only once, how a call ended.

use crate::{
    Deadline, Outcome,
    clock::{self, Instant},
};
use http::HeaderMap;
use std::{cell::Cell, mem, sync::OnceLock, time::Duration};

/// What a layer does when a call that it admitted has ended.
///
/// A layer never settles a record by hand: it puts it into a [`Recorder`], which does so exactly
/// once, whatever is dropped when.
pub trait Record: Send + 'static {
    /// The head of the response is here and the outcome is still open: a stream has begun.
    fn responded(&mut self) {}

    /// What the peer has to say at the end of its answer: its trailers, or its headers if those settle
    /// the outcome of a gRPC call. Told before the outcome is.
    #[inline]
    fn trailers(&mut self, trailers: &HeaderMap) {
        let _ = trailers;
    }

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
    due: Due,
}

/// When a call must be over, in one word: nanoseconds after some moment of this process. A deadline is
/// wider, and written in parts: a copy of it would wait for them.
#[derive(Clone, Copy, Debug)]
struct Due(i64);

/// The moment from which others are counted: one that was the present.
struct Origin(OnceLock<Instant>);

/// Why a call is dropped here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody wants it.
    Unwanted,
    /// Its time is up, whatever it is doing.
    Late,
    /// Its time is up, and it is being read.
    Read,
}

thread_local! {
    static ENDING: Cell<Ending> = const { Cell::new(Ending::Unwanted) };
}

// === impl Recorder ===

// Inlined by force: a recorder is moved through every future of a stack, and what is inlined is not
// moved. It is worth about 10 ns a call.
impl<R: Record> Recorder<R> {
    /// Takes charge of `record` for a call that must be over by `deadline`.
    #[inline(always)]
    pub fn new(record: R, deadline: Option<Deadline>) -> Self {
        Self {
            record: Some(record),
            due: deadline.map_or(Due::NEVER, Due::at),
        }
    }

    /// The head of the response is here and the outcome is still open.
    #[inline(always)]
    pub fn responded(&mut self) {
        if let Some(record) = &mut self.record {
            record.responded();
        }
    }

    /// What the peer has to say at the end of its answer.
    #[inline(always)]
    pub fn trailers(&mut self, trailers: &HeaderMap) {
        if let Some(record) = &mut self.record {
            record.trailers(trailers);
        }
    }

    /// The call has ended like this.
    #[inline(always)]
    #[allow(clippy::mem_forget, reason = "nothing is left in it")]
    pub fn settle(mut self, outcome: Outcome) {
        let (record, due) = (self.record.take(), self.due);
        // What is dropped has an address, and what has an address is not kept in registers.
        mem::forget(self);
        conclude(record, due, outcome);
    }

    /// One that has told it, and tells nothing more.
    pub(crate) const fn told() -> Self {
        Self {
            record: None,
            due: Due::NEVER,
        }
    }

    #[inline(always)]
    pub(crate) const fn has_told(&self) -> bool {
        self.record.is_none()
    }

    /// Nobody waits for the peer, as what is left of its answer is dropped: that somebody's time is up
    /// is not its doing.
    #[inline(always)]
    pub(crate) fn let_wait(&mut self) {
        if !self.has_told() && ENDING.get() != Ending::Read {
            self.withdrawn();
        }
    }

    /// The call ended for a reason of its caller's, whatever the time.
    pub(crate) fn withdrawn(&mut self) {
        if let Some(record) = self.record.take() {
            record.settle(Outcome::Cancelled);
        }
    }

    /// The peer has answered like this. To a caller who reads it, a call that was cancelled is none
    /// that he has lost interest in: a timer of the peer's ended it, or somebody behind the peer.
    // Where it stands: to be moved costs more than all the rest.
    #[inline(always)]
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Cancelled if !self.due.is_over() => Outcome::Failure,
            outcome => outcome,
        };
        conclude(self.record.take(), self.due, outcome);
    }
}

impl<R: Record> Drop for Recorder<R> {
    #[inline(always)]
    fn drop(&mut self) {
        conclude(self.record.take(), self.due, Outcome::Cancelled);
    }
}

// === impl Due ===

impl Due {
    const NEVER: Self = Self(i64::MAX);

    fn at(deadline: Deadline) -> Self {
        Self(since_origin(deadline.instant()))
    }

    fn is_over(self) -> bool {
        self.0 != Self::NEVER.0 && self.0 <= since_origin(clock::now())
    }
}

// === impl Origin ===

impl Origin {
    /// Signed: the paused clock of a runtime may stand before the one that was asked first. It reaches
    /// 292 years either way.
    fn nanos(&self, at: Instant) -> i64 {
        // The present, not `at`: from a deadline that is centuries away nothing else would be told apart.
        let origin = *self.0.get_or_init(clock::now);
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        // One below what stands for never.
        match nanos(at.saturating_duration_since(origin)).min(i64::MAX - 1) {
            0 => -nanos(origin.saturating_duration_since(at)),
            after => after,
        }
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

    fn trailers(&mut self, trailers: &HeaderMap) {
        if let Some(record) = self {
            record.trailers(trailers);
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

    fn trailers(&mut self, trailers: &HeaderMap) {
        self.0.trailers(trailers);
        self.1.trailers(trailers);
    }

    fn settle(self, outcome: Outcome) {
        self.0.settle(outcome);
        self.1.settle(outcome);
    }
}

#[inline(always)]
fn conclude<R: Record>(record: Option<R>, due: Due, outcome: Outcome) {
    let Some(record) = record else {
        return;
    };
    // A peer's own timer, or one outside this stack, looks like a caller who lost interest.
    record.settle(match outcome {
        Outcome::Cancelled if ENDING.get() != Ending::Unwanted || due.is_over() => Outcome::Timeout,
        outcome => outcome,
    });
}

fn since_origin(at: Instant) -> i64 {
    static ORIGIN: Origin = Origin(OnceLock::new());
    ORIGIN.nanos(at)
}

/// Runs `end`, which drops what is left of a call because its time is up: to every [`Recorder`] in
/// it that is a [`Timeout`](Outcome::Timeout), unless it watches a body that its reader lets wait.
///
/// For a layer that gives a part of a call less time than the call's deadline, of which nobody else
/// knows. What another task holds is not dropped here, and still counts as cancelled.
pub fn expire<T>(end: impl FnOnce() -> T) -> T {
    ending(Ending::Late, end)
}

/// The same for a body of which a piece has come just now, and too late: its reader has not let it
/// wait.
pub fn expire_read<T>(end: impl FnOnce() -> T) -> T {
    ending(Ending::Read, end)
}

fn ending<T>(why: Ending, end: impl FnOnce() -> T) -> T {
    struct Restore(Ending);
    impl Drop for Restore {
        fn drop(&mut self) {
            ENDING.set(self.0);
        }
    }
    // Also when `end` panics.
    let _restore = Restore(ENDING.replace(why));
    end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic, sync::mpsc};

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

    #[test]
    fn a_moment_before_the_first_that_was_asked_for_is_as_exact() {
        let (now, hour) = (clock::now(), Duration::from_secs(3_600));
        let _ = since_origin(now);
        let nanosecond = Duration::from_nanos(1);
        for at in [now, now + hour, now - hour] {
            assert_eq!(since_origin(at) + 1, since_origin(at + nanosecond));
        }
        assert!(!Due::NEVER.is_over());
        assert!(!Due::at(Deadline::after(Duration::MAX)).is_over());
        assert!(Due::at(Deadline::at(now - hour)).is_over());
    }

    #[test]
    fn whoever_asks_for_centuries_first_says_nothing_about_the_others() {
        let (origin, now) = (Origin(OnceLock::new()), clock::now());
        let far = origin.nanos(now + Duration::from_secs(500 * 365 * 86_400));
        let second = Duration::from_secs(1);
        assert!(origin.nanos(now) < origin.nanos(now + second));
        assert!(origin.nanos(now + second) < far && far < Due::NEVER.0);
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
