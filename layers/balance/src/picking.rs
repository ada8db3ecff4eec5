//! A call that found no endpoint at once: it looks again whenever something changes, until its time
//! is up.

use crate::{
    NoEndpoints,
    policy::{Arrange, Candidate, Policy},
    search::{Reached, Search},
    service::Shared,
    wait::Wait,
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;
use ziggurat_core::{
    BoxError, CallOptions, Carry, Code, Deadline, Endpoint, Stage, Whereabouts,
    clock::{self, Instant},
    contain,
};

/// The search of one call, over time.
pub(crate) struct Picking<E, Req, C, P: Arrange> {
    shared: Arc<Shared<E, C, P>>,
    search: Search<E>,
    request: Option<Req>,
    deadline: Option<Deadline>,
    wait: Option<Pin<Box<Wait>>>,
    /// When those that could not be readied are asked again, and how often they were.
    again: Option<Instant>,
    asked: u32,
    /// Since when nobody is worth waiting for.
    hopeless_since: Option<Instant>,
}

/// How long a call without a deadline waits for an endpoint that is being connected: as long as
/// gRPC takes for one attempt to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Who could not be readied is asked again so soon, then half as often each time.
const AGAIN: Duration = Duration::from_millis(10);
const LONGEST_AGAIN: Duration = Duration::from_secs(1);

// === impl Picking ===

impl<E, Req, C, P: Arrange> Picking<E, Req, C, P> {
    pub(crate) const fn new(
        shared: Arc<Shared<E, C, P>>,
        request: Req,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            shared,
            search: Search::new(),
            request: Some(request),
            deadline,
            wait: None,
            again: None,
            asked: 0,
            hopeless_since: None,
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    pub(crate) fn classify(&self) -> &C {
        &self.shared.classify
    }
}

/// Had it found one, the request would be gone.
impl<E, Req, C, P: Arrange> Drop for Picking<E, Req, C, P> {
    fn drop(&mut self) {
        if self.request.is_some() {
            Whereabouts::tell(|call| {
                call.stage = Some(Stage::Endpoint);
                call.since = self.wait.as_ref().map(|wait| wait.began());
            });
        }
    }
}

impl<E, Req, C, P> Picking<E, Req, C, P>
where
    E: Endpoint + Service<Req>,
    E::Error: Into<BoxError>,
    C: Carry<Req>,
    P: Policy<Req>,
{
    /// An endpoint that is ready, and the request for it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Reached<E>, Req), BoxError>> {
        let Some(request) = self.request.take() else {
            // Polled after completion, which a future may answer as it likes.
            return Poll::Pending;
        };
        let found = self.poll_search(&request, cx);
        match found {
            Poll::Ready(Ok(reached)) => Poll::Ready(Ok((reached, request))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.request = Some(request);
                Poll::Pending
            }
        }
    }

    fn poll_search(
        &mut self,
        request: &Req,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reached<E>, BoxError>> {
        let patient = self.is_patient(request);
        if !self.shared.driver.start() {
            return Poll::Ready(Err(self.give_up(Code::Unavailable)));
        }
        loop {
            // First the bell, then the look: a change after the look rings.
            let heard = match &mut self.wait {
                Some(wait) => wait.as_mut().poll_changed(cx),
                None => false,
            };
            if heard {
                self.start_over();
            }
            if let Poll::Ready(reached) = self.search.advance(&self.shared, request, cx) {
                return Poll::Ready(Ok(reached));
            }
            if !patient && let Some(refusal) = self.search.take_refusal() {
                return Poll::Ready(Err(refusal));
            }
            let Some(wait) = &mut self.wait else {
                let wait = Wait::new(self.shared.hub.changed(), clock::now());
                self.wait = Some(Box::pin(wait));
                continue;
            };
            let began = wait.began();
            let until = if patient {
                self.deadline.map(Deadline::instant)
            } else {
                Some(self.limit(began))
            };
            let again = self.again();
            let is_again = again.is_some_and(|again| until.is_none_or(|until| again < until));
            let next = if is_again { again } else { until };
            return match wait_until(&mut self.wait, next, cx) {
                Poll::Ready(()) if is_again => {
                    self.asked = self.asked.saturating_add(1);
                    self.start_over();
                    continue;
                }
                Poll::Ready(()) => {
                    let late = self.deadline.is_some_and(|it| Some(it.instant()) == until);
                    let code = if late {
                        Code::DeadlineExceeded
                    } else {
                        Code::Unavailable
                    };
                    Poll::Ready(Err(self.give_up(code)))
                }
                Poll::Pending => Poll::Pending,
            };
        }
    }

    fn start_over(&mut self) {
        self.again = None;
        self.search.start_over();
    }

    /// When to ask those again that could not be readied.
    fn again(&mut self) -> Option<Instant> {
        if !self.search.has_refusal() {
            return None;
        }
        let pause = AGAIN.saturating_mul(1 << self.asked.min(16));
        let again = || clock::now() + pause.min(LONGEST_AGAIN);
        Some(*self.again.get_or_insert_with(again))
    }

    /// Until when a call waits that does not wait for ready.
    ///
    /// What is well but busy, or is being connected, is worth waiting for until the deadline. The
    /// bound for failing fast counts from when nothing is.
    fn limit(&mut self, began: Instant) -> Instant {
        let bound = self.shared.hub.facts().settings().wait();
        let after = |time, from| Deadline::after_from(time, from).instant();
        let last = self
            .deadline
            .map_or_else(|| after(bound.max(LONGEST_WAIT), began), Deadline::instant);
        // Without a deadline a queue is no place to stay.
        let is_queued = self.search.is_queued() && self.deadline.is_some();
        if is_queued || self.is_one_on_its_way() {
            self.hopeless_since = None;
            return last;
        }
        let since = *self.hopeless_since.get_or_insert_with(clock::now);
        last.min(after(bound, since))
    }

    fn is_one_on_its_way(&self) -> bool {
        let set = self.shared.hub.set();
        set.candidates().iter().any(Candidate::is_on_its_way)
    }

    fn is_patient(&self, request: &Req) -> bool {
        let words = self.shared.classify.extensions(request);
        let options = words.and_then(|words| words.get::<CallOptions>());
        options.and_then(|options| options.wait_for_ready) == Some(true)
    }

    fn give_up(&self, code: Code) -> BoxError {
        let facts = self.shared.hub.facts();
        if let Some(observer) = facts.observer() {
            contain(|| observer.unserved(facts.service()));
        }
        NoEndpoints::among(&self.shared.hub.set(), facts.service(), code).into()
    }
}

impl<E, Req, C, P: Arrange> fmt::Debug for Picking<E, Req, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picking")
            .field("search", &self.search)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

fn wait_until(
    wait: &mut Option<Pin<Box<Wait>>>,
    until: Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match wait {
        Some(wait) => wait.as_mut().poll_until(until, cx),
        None => Poll::Pending,
    }
}
