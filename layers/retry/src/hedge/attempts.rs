//! The attempts of one call, side by side.

use super::{
    heat::{Heat, Weight},
    start::Start,
};
use crate::{Failure, Judge, Permit, Repeat};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;
use ziggurat_core::{
    BoxError, Deadline,
    clock::{self, Instant},
};

mod end;
mod send;

pin_project! {
    /// The attempts of one call: the first, and those beside it.
    pub(super) struct Attempts<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        #[pin]
        first: Option<S::Future>,
        stage: Stage<S, M, Req>,
    }

    impl<S, M, Req> PinnedDrop for Attempts<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        fn drop(this: Pin<&mut Self>) {
            if let Stage::Beside(side) = &this.stage {
                side.heat.race.tell();
            }
        }
    }
}

/// Has the first attempt been asked?
enum Stage<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    /// `None`: it was answered at once, and all is over.
    Fresh(Option<Start<S, M, Req>>),
    /// In one piece, and somewhere else: every layer further out moves what is here, and a call that is
    /// not hedged is moved in the place of one that is.
    Beside(Pin<Box<Side<S, M, Req>>>),
}

pin_project! {
    #[project = SideProj]
    /// All but the first attempt.
    struct Side<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        first_turn: u32,
        // The attempts after the first: nobody makes room for them before there is one.
        rivals: Vec<Rival<S::Future>>,
        #[pin]
        timer: Option<Sleep>,
        // Makes the later attempts.
        again: Option<S>,
        heat: Heat<S, M, Req>,
        // The service has failed before it was called.
        failed: Option<BoxError>,
        // The failure to answer with, if nothing better comes.
        best: Option<Best<S::Response>>,
    }
}

/// All of them, to be polled.
struct Field<'p, S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    first: Pin<&'p mut Option<S::Future>>,
    side: SideProj<'p, S, M, Req>,
}

/// An attempt beside the first.
struct Rival<F> {
    future: Option<Pin<Box<F>>>,
    turn: u32,
    permit: Option<Permit>,
}

/// A failure.
struct Best<Rsp> {
    result: Result<Rsp, BoxError>,
    turn: u32,
    /// `None`: no other attempt goes on.
    weight: Option<Weight>,
}

/// What an attempt ended with.
type End<Rsp> = (Result<Rsp, BoxError>, u32);

/// A failure, with what is wrong with it: whoever knows that is asked once.
type Failed<Rsp> = (Result<Rsp, BoxError>, Failure);

// === impl Attempts ===

impl<S, M, Req> Attempts<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    /// The first attempt is under way, or the service has failed before.
    #[inline]
    pub(super) fn new(first: Result<S::Future, BoxError>, start: Start<S, M, Req>) -> Self {
        match first {
            Ok(first) => Self {
                first: Some(first),
                stage: Stage::Fresh(Some(start)),
            },
            Err(error) => Self {
                first: None,
                stage: Stage::Beside(Side::of(start, Some(error))),
            },
        }
    }
}

impl<S, M, Req> Future for Attempts<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let Stage::Fresh(start) = this.stage else {
            return self.go_on(None, cx);
        };
        let Some(first) = this.first.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Some(begun) = start else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = begun.follow(|| first.poll(cx)).map_err(Into::into) else {
            return self.go_on(Some(None), cx);
        };
        if let Some(failure) = begun.answered(&result) {
            return self.go_on(Some(Some((result, failure))), cx);
        }
        // Whatever it still holds goes now, even if the caller keeps the future.
        this.first.set(None);
        *start = None;
        Poll::Ready(result)
    }
}

impl<S, M, Req> Attempts<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// With how the first attempt has just failed, if it has, if it was asked.
    #[inline(never)]
    fn go_on(
        self: Pin<&mut Self>,
        polled: Option<Option<Failed<S::Response>>>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        let this = self.project();
        if let Stage::Fresh(start) = this.stage
            && let Some(start) = start.take()
        {
            *this.stage = Stage::Beside(Side::of(start, None));
        }
        let Stage::Beside(side) = this.stage else {
            return Poll::Pending;
        };
        let field = Field {
            first: this.first,
            side: side.as_mut().project(),
        };
        field.poll(polled, cx)
    }
}

// === impl Side ===

impl<S, M, Req> Side<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    fn of(mut start: Start<S, M, Req>, failed: Option<BoxError>) -> Pin<Box<Self>> {
        Box::pin(Self {
            first_turn: 0,
            rivals: Vec::new(),
            timer: None,
            again: start.again.take(),
            heat: Heat::of(start),
            failed,
            best: None,
        })
    }
}

// === impl Field ===

impl<S, M, Req> Field<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// The first attempt was polled already, if it is given what came of that.
    fn poll(
        mut self,
        polled: Option<Option<Failed<S::Response>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, BoxError>> {
        let fresh = polled.is_some();
        if let Some(error) = self.side.failed.take()
            && let Some(end) = self.ended(0, Err(error))
        {
            return self.finish(end);
        }
        if let Some((result, failure)) = polled.flatten() {
            self.failed(0, result, &failure);
        }
        // All of them, whoever was woken.
        let lanes = if fresh { 0 } else { self.side.rivals.len() + 1 };
        for lane in 0..lanes {
            if let Some(end) = self.poll_lane(lane, cx) {
                return self.finish(end);
            }
        }
        self.scratch_all_but_the_survivor();
        let mut struck = None;
        loop {
            let decided = self
                .side
                .best
                .as_ref()
                .is_some_and(|best| best.weight.is_none());
            if decided || self.side.heat.race.is_over() {
                return self.give_up();
            }
            // A timer that has gone off tells the time, too: of whoever blocks where it is held.
            let now = struck.map_or_else(clock::now, |struck| clock::now().max(struck));
            self.side.heat.race.start(now);
            if self.side.heat.deadline().is_some_and(|at| at.is_over(now)) {
                return self.time_out(now);
            }
            self.open(now);
            match self.send(now, cx) {
                Poll::Ready(Some(end)) => return self.finish(end),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    if self.side.heat.race.is_over() {
                        continue;
                    }
                    struck = Some(ready!(self.poll_timer(now, cx)));
                }
            }
        }
    }

    /// Waits for the next thing to do: when it was to be.
    fn poll_timer(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<Instant> {
        let deadline = self.side.heat.deadline().map(Deadline::instant);
        let next = self
            .side
            .heat
            .race
            .wakes_at(now)
            .into_iter()
            .chain(deadline);
        let Some(next) = next.min() else {
            return Poll::Pending;
        };
        if self.side.timer.is_none() {
            self.side.timer.set(Some(sleep_until(next)));
        }
        let Some(mut timer) = self.side.timer.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        timer.poll(cx).map(|()| next)
    }
}
