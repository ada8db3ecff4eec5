//! How the attempts beside the first are paid for and sent, and each is asked for its answer.

use super::{End, Field, Rival};
use crate::{Judge, Repeat};
use std::task::{Context, Poll};
use tower_service::Service;
use ziggurat_core::{BoxError, clock::Instant};

// === impl Field ===

impl<S, M, Req> Field<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// Pays for the attempt whose time has come; for one at a time, so that whatever comes of it is
    /// known before the next.
    pub(super) fn open(&mut self, now: Instant) {
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
    pub(super) fn send(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Option<End<S::Response>>> {
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

    pub(super) fn poll_lane(
        &mut self,
        lane: usize,
        cx: &mut Context<'_>,
    ) -> Option<End<S::Response>> {
        let polled = match self.side.rivals.get_mut(lane.wrapping_sub(1)) {
            Some(rival) => rival.future.as_mut()?.as_mut().poll(cx),
            None => {
                let first = self.first.as_mut().as_pin_mut()?;
                self.side.heat.follow(|| first.poll(cx))
            }
        };
        match polled {
            Poll::Ready(result) => self.ended(lane, result.map_err(Into::into)),
            Poll::Pending => None,
        }
    }
}
