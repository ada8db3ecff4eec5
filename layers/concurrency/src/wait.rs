//! A place in the line, held by a future.

use crate::{Cause, Full, gate::Verdict, permit::Permit, settings::index, shared::Shared};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep_until},
};
use ziggurat_core::{
    Criticality, Deadline, Recorder,
    clock::{self, Instant},
};

/// Waits for a permit. Dropped, it leaves the line, or hands on the permit that it was given.
pub(crate) struct Wait {
    shared: Arc<Shared>,
    level: Criticality,
    id: u64,
    heard: oneshot::Receiver<Verdict>,
    since: Instant,
    until: Instant,
    deadline: Option<Deadline>,
    /// Made when it is first polled: there is a runtime then.
    timer: Option<Pin<Box<Sleep>>>,
    /// Nothing was heard yet.
    open: bool,
}

// === impl Wait ===

impl Wait {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        level: Criticality,
        id: u64,
        heard: oneshot::Receiver<Verdict>,
        since: Instant,
        until: Instant,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            shared,
            level,
            id,
            heard,
            since,
            until,
            deadline,
            timer: None,
            open: true,
        }
    }

    /// The permit, as the call will hold it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Recorder<Permit>, Full>> {
        if let Poll::Ready(heard) = Pin::new(&mut self.heard).poll(cx) {
            self.open = false;
            // Nobody forgets to tell; whoever did would have left us without a permit.
            return Poll::Ready(self.told(heard.unwrap_or(Verdict::Expired)));
        }
        let until = self.until;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(timer.as_mut().poll(cx));
        if self.leave_line(Some(self.until)) {
            self.open = false;
            return Poll::Ready(Err(self.late()));
        }
        // Its turn came in the same moment, and it is about to hear.
        Poll::Pending
    }

    /// Ready if the deadline comes, when the permit is there and the service is not ready.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Full> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let at = deadline.instant();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(self.shared.reject(self.level, Cause::Deadline))
    }

    fn told(&self, verdict: Verdict) -> Result<Recorder<Permit>, Full> {
        match verdict {
            Verdict::Enter => self.enter(),
            Verdict::Displaced => Err(self.shared.reject(self.level, Cause::Displaced)),
            Verdict::Expired => Err(self.late()),
        }
    }

    fn enter(&self) -> Result<Recorder<Permit>, Full> {
        let now = clock::now();
        // The task may not have run for long.
        if self.deadline.is_some_and(|deadline| deadline.is_over(now)) {
            self.shared.leave();
            return Err(self.shared.reject(self.level, Cause::Deadline));
        }
        self.shared.waited(self.level, self.since, now);
        let permit = self.shared.permit(self.shared.gate().out(), || now);
        Ok(Recorder::new(permit, self.deadline))
    }

    fn late(&self) -> Full {
        let by_deadline = self
            .deadline
            .is_some_and(|deadline| deadline.instant() <= self.until);
        let cause = match by_deadline {
            true => Cause::Deadline,
            false => Cause::Waited,
        };
        self.shared.reject(self.level, cause)
    }

    fn leave_line(&self, now: Option<Instant>) -> bool {
        self.shared.gate().quit(index(self.level), self.id, now)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.open || self.leave_line(None) {
            return;
        }
        // Either it was told before this, or whoever tells it learns that nobody listens.
        self.heard.close();
        if self.heard.try_recv() == Ok(Verdict::Enter) {
            self.shared.leave();
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("level", &self.level)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
