//! The attempts of one call, side by side.

use super::heat::{Heat, Weight};
use crate::{Judge, Permit, Repeat};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
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
        // In one piece, and somewhere else: every layer further out moves what is here, and a call
        // that is not hedged is moved in the place of one that is.
        side: Pin<Box<Side<S, M, Req>>>,
    }
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

// === impl Attempts ===

impl<S, M, Req> Attempts<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    /// The first attempt is under way, or the service has failed before.
    #[inline]
    pub(super) fn new(
        first: Result<S::Future, BoxError>,
        again: Option<S>,
        heat: Heat<S, M, Req>,
    ) -> Self {
        let (first, failed) = match first {
            Ok(first) => (Some(first), None),
            Err(error) => (None, Some(error)),
        };
        let side = Box::pin(Side {
            first_turn: 0,
            rivals: Vec::new(),
            timer: None,
            again,
            heat,
            failed,
            best: None,
        });
        Self { first, side }
    }
}

impl<S, M, Req> Future for Attempts<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let field = Field {
            first: this.first,
            side: this.side.as_mut().project(),
        };
        field.poll(cx)
    }
}

impl<S, M, Req> Field<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    fn poll(mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        if let Some(error) = self.side.failed.take()
            && let Some(end) = self.ended(0, Err(error))
        {
            return self.finish(end);
        }
        // All of them, whoever was woken.
        for lane in 0..=self.side.rivals.len() {
            if let Some(end) = self.poll_lane(lane, cx) {
                return self.finish(end);
            }
        }
        self.scratch_all_but_the_survivor();
        loop {
            let decided = self
                .side
                .best
                .as_ref()
                .is_some_and(|best| best.weight.is_none());
            if decided || self.side.heat.race.is_over() {
                return self.give_up();
            }
            let now = clock::now();
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
                    if self.poll_timer(now, cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Waits for the next thing to do.
    fn poll_timer(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
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
        timer.poll(cx)
    }
}
