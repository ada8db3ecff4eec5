//! How one attempt ends, and with it all of them.

use super::{Best, End, Field};
use crate::{Failure, Judge, Repeat};
use std::task::Poll;
use tower_service::Service;
use ziggurat_core::{BoxError, clock::Instant, expire};

// === impl Field ===

impl<S, M, Req> Field<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// The attempt in this lane has ended. If it is the answer, that is returned.
    pub(super) fn ended(
        &mut self,
        lane: usize,
        result: Result<S::Response, BoxError>,
    ) -> Option<End<S::Response>> {
        if let Some(failure) = self.side.heat.judge(&result) {
            self.failed(lane, result, &failure);
            return None;
        }
        let turn = self.turn(lane);
        self.side.heat.won(lane);
        self.clear(lane);
        Some((result, turn))
    }

    /// The attempt in this lane has failed.
    pub(super) fn failed(
        &mut self,
        lane: usize,
        result: Result<S::Response, BoxError>,
        failure: &Failure,
    ) {
        let turn = self.turn(lane);
        let weight = self.side.heat.failed(lane, turn, failure);
        self.clear(lane);
        self.keep(Best {
            result,
            turn,
            weight,
        });
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
    pub(super) fn scratch_all_but_the_survivor(&mut self) {
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

    pub(super) fn time_out(&mut self, now: Instant) -> Poll<Result<S::Response, BoxError>> {
        let error = self.side.heat.time_out(now);
        // Whoever keeps a record of an attempt knows nothing of this timer.
        expire(|| self.stop());
        self.answer(Err(error.into()), true)
    }

    pub(super) fn give_up(&mut self) -> Poll<Result<S::Response, BoxError>> {
        // Nothing is left only when it is polled after its end.
        let Some(best) = self.side.best.take() else {
            return Poll::Pending;
        };
        if best.weight.is_some() {
            self.side.heat.exhausted();
        }
        self.chosen((best.result, best.turn), true)
    }

    /// An attempt has won.
    pub(super) fn finish(&mut self, end: End<S::Response>) -> Poll<Result<S::Response, BoxError>> {
        self.chosen(end, false)
    }

    fn chosen(
        &mut self,
        (result, turn): End<S::Response>,
        failed: bool,
    ) -> Poll<Result<S::Response, BoxError>> {
        self.side.heat.choose(turn);
        self.stop();
        self.answer(result, failed)
    }

    fn answer(
        &mut self,
        mut result: Result<S::Response, BoxError>,
        failed: bool,
    ) -> Poll<Result<S::Response, BoxError>> {
        self.side.heat.finish(&mut result, failed);
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
    pub(super) fn clear(&mut self, lane: usize) {
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
