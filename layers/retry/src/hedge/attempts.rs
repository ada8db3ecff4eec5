//! The attempts of one call, side by side.

use super::heat::{Heat, Verdict, Weight};
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
    expire,
};

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

    /// Pays for the attempt whose time has come; for one at a time, so that whatever comes of it is
    /// known before the next.
    fn open(&mut self, now: Instant) {
        let race = &self.side.heat.race;
        if !race.is_due(now) || race.to_send(now).is_some() {
            return;
        }
        let Some(permit) = self.side.heat.pay(now) else {
            self.side.heat.race.close();
            return;
        };
        self.side.heat.race.open(now);
        self.side.rivals.push(Rival {
            future: None,
            turn: 0,
            permit: Some(permit),
        });
    }

    /// Sends one attempt that is to be sent by now; pending if there is none, or the service is not
    /// ready.
    fn send(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<Option<End<S::Response>>> {
        let Some(lane) = self.side.heat.race.to_send(now) else {
            return Poll::Pending;
        };
        let again = &mut *self.side.again;
        let again = again.get_or_insert_with(|| self.side.heat.another_service());
        match again.poll_ready(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                // A service that failed must not be asked again.
                *again = again.clone();
                return Poll::Ready(self.ended(lane, Err(error.into())));
            }
        }
        let Some((request, turn)) = self.side.heat.another(lane) else {
            self.side.heat.race.scratch(lane);
            self.side.heat.race.close();
            self.clear(lane);
            return Poll::Ready(None);
        };
        let future = again.call(request);
        match self.side.rivals.get_mut(lane.wrapping_sub(1)) {
            Some(rival) => {
                rival.future = Some(Box::pin(future));
                rival.turn = turn;
                if let Some(permit) = &mut rival.permit {
                    permit.spend();
                }
            }
            None => {
                self.first.set(Some(future));
                *self.side.first_turn = turn;
            }
        }
        self.side.heat.race.sent(lane);
        Poll::Ready(self.poll_lane(lane, cx))
    }

    fn poll_lane(&mut self, lane: usize, cx: &mut Context<'_>) -> Option<End<S::Response>> {
        let polled = match self.side.rivals.get_mut(lane.wrapping_sub(1)) {
            Some(rival) => rival.future.as_mut()?.as_mut().poll(cx),
            None => self.first.as_mut().as_pin_mut()?.poll(cx),
        };
        match polled {
            Poll::Ready(result) => self.ended(lane, result.map_err(Into::into)),
            Poll::Pending => None,
        }
    }

    /// The attempt in this lane has ended. If it is the answer, that is returned.
    fn ended(
        &mut self,
        lane: usize,
        result: Result<S::Response, BoxError>,
    ) -> Option<End<S::Response>> {
        let turn = self.turn(lane);
        let verdict = self.side.heat.ended(lane, turn, &result);
        self.clear(lane);
        let weight = match verdict {
            Verdict::Won => return Some((result, turn)),
            Verdict::Fatal => None,
            Verdict::Passing(weight) => Some(weight),
        };
        self.keep(Best {
            result,
            turn,
            weight,
        });
        None
    }

    /// Keeps the failure that tells more, or came later.
    fn keep(&mut self, new: Best<S::Response>) {
        let better = match self.side.best.as_ref().map(|old| old.weight) {
            None => true,
            // The first that is fatal.
            Some(None) => false,
            Some(old) => new.weight.is_none() || new.weight >= old,
        };
        if better {
            *self.side.best = Some(new);
        }
    }

    /// The request has outgrown what can be kept: who is ahead goes on alone.
    fn scratch_all_but_the_survivor(&mut self) {
        if self.side.rivals.is_empty() {
            return;
        }
        let Some(survivor) = self.side.heat.survivor() else {
            return;
        };
        for lane in 0..=self.side.rivals.len() {
            if self.side.heat.race.is_running(lane) && self.turn(lane) != survivor {
                self.side.heat.race.scratch(lane);
                self.clear(lane);
            }
        }
        self.side.heat.race.close();
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

    fn time_out(&mut self, now: Instant) -> Poll<Result<S::Response, BoxError>> {
        let error = self.side.heat.time_out(now);
        // Whoever keeps a record of an attempt knows nothing of this timer.
        expire(|| self.stop());
        self.answer(Err(error.into()))
    }

    fn give_up(&mut self) -> Poll<Result<S::Response, BoxError>> {
        // Nothing is left only when it is polled after its end.
        let Some(best) = self.side.best.take() else {
            return Poll::Pending;
        };
        if best.weight.is_some() {
            self.side.heat.exhausted();
        }
        self.finish((best.result, best.turn))
    }

    fn finish(&mut self, end: End<S::Response>) -> Poll<Result<S::Response, BoxError>> {
        let (result, turn) = end;
        self.side.heat.choose(turn);
        self.stop();
        self.answer(result)
    }

    fn answer(
        &mut self,
        mut result: Result<S::Response, BoxError>,
    ) -> Poll<Result<S::Response, BoxError>> {
        self.side.heat.finish(&mut result);
        Poll::Ready(result)
    }

    /// Drops what is under way, even if the caller keeps the future.
    fn stop(&mut self) {
        for lane in 0..=self.side.rivals.len() {
            if self.side.heat.race.is_running(lane) {
                self.side.heat.overtaken(lane);
            }
            self.side.heat.race.scratch(lane);
        }
        self.side.heat.race.close();
        self.first.set(None);
        self.side.timer.set(None);
        self.side.rivals.clear();
        *self.side.best = None;
    }

    /// Drops the attempt in this lane, and what has paid for it unless it is sent again.
    fn clear(&mut self, lane: usize) {
        let again = self.side.heat.race.is_waiting(lane);
        match self.side.rivals.get_mut(lane.wrapping_sub(1)) {
            Some(rival) => {
                rival.future = None;
                rival.permit.take_if(|_| !again);
            }
            None => self.first.set(None),
        }
    }

    fn turn(&self, lane: usize) -> u32 {
        let rival = self.side.rivals.get(lane.wrapping_sub(1));
        rival.map_or(*self.side.first_turn, |rival| rival.turn)
    }
}
