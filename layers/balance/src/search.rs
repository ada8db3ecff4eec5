//! One call's search for an endpoint that takes it.

use crate::{
    facts::Facts,
    policy::{Call, Candidate, Candidates, Policy},
    service::Shared,
    settings::Brief,
    skip::Skip,
    stats::Stats,
};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Endpoint, State};

/// What a call has tried so far.
pub(crate) struct Search<E> {
    /// Those that are well but busy, best first: any of them may get ready before anything else
    /// changes, and wakes the task then.
    held: Vec<Held<E>>,
    skip: Skip,
    refused: Option<BoxError>,
}

/// An endpoint that is ready for the call.
pub(crate) struct Reached<E> {
    pub(crate) endpoint: E,
    pub(crate) stats: Arc<Stats>,
    pub(crate) brief: Brief,
    pub(crate) now: u64,
}

struct Held<E> {
    endpoint: E,
    candidate: Candidate,
    /// It was ejected, and nobody else was there.
    last_resort: bool,
}

// === impl Search ===

impl<E> Search<E> {
    /// The first choice, if it is ready: so most calls go.
    ///
    /// A part of [`advance`](Self::advance), inlined by force: what is found is moved into a future,
    /// and what is inlined is not moved. It is worth 10 ns a call.
    #[inline(always)]
    pub(crate) fn at_once<Req, C, P>(shared: &Shared<E, C, P>, request: &Req) -> Option<Reached<E>>
    where
        E: Endpoint + Service<Req>,
        C: Carry<Req>,
        P: Policy<Req>,
    {
        static NOBODY: Skip = Skip::none();
        let (facts, policy) = (shared.hub.facts(), shared.hub.policy());
        let (weighing, now) = (facts.weighing(), facts.now());
        let call = Call::new(request, shared.classify.extensions(request));
        let set = shared.hub.set();
        let panics = shared.hub.panic().is_on();
        let among = Candidates::new(set.candidates(), set.weights(), &NOBODY, &weighing, now)
            .as_last_resort(panics);
        let index = policy.pick(set.table(), &among, &call)?;
        let (candidate, service) = set.get(index)?;
        // A clone of its own: one that is kept ready would keep its permits from others.
        let mut endpoint = service.lend();
        // Who is not ready is asked again by the future, which can be woken.
        let mut nobody = Context::from_waker(Waker::noop());
        match endpoint.poll_ready(&mut nobody) {
            Poll::Ready(Ok(())) => {}
            _ => return None,
        }
        let stats = candidate.stats();
        call.note(stats.id());
        Some(Reached {
            endpoint,
            stats: Arc::clone(stats),
            brief: weighing.brief(),
            now,
        })
    }

    pub(crate) const fn new() -> Self {
        Self {
            held: Vec::new(),
            skip: Skip::none(),
            refused: None,
        }
    }

    /// Is there an endpoint that is well but busy?
    pub(crate) const fn is_queued(&self) -> bool {
        !self.held.is_empty()
    }

    /// Is there an endpoint that could not be readied? Nobody says when it can be.
    pub(crate) const fn has_refusal(&self) -> bool {
        self.refused.is_some()
    }

    /// The error of the last endpoint that could not be readied, if nothing is left to wait for.
    pub(crate) fn take_refusal(&mut self) -> Option<BoxError> {
        if self.is_queued() {
            return None;
        }
        self.refused.take()
    }

    /// Something has changed: who was busy or broken may be asked again.
    pub(crate) fn start_over(&mut self) {
        self.skip.clear();
        self.refused = None;
        // First: who is gone may have been replaced by one of the same name.
        self.held.retain(Held::is_worth_it);
        for held in &self.held {
            self.skip.push(held.candidate.stats().id());
        }
    }

    /// Readies the first choice; when that is busy or broken others, until one is ready.
    pub(crate) fn advance<Req, C, P>(
        &mut self,
        shared: &Shared<E, C, P>,
        request: &Req,
        cx: &mut Context<'_>,
    ) -> Poll<Reached<E>>
    where
        E: Endpoint + Service<Req>,
        E::Error: Into<BoxError>,
        C: Carry<Req>,
        P: Policy<Req>,
    {
        let facts = shared.hub.facts();
        let weighing = facts.weighing();
        if let Poll::Ready(held) = self.ready_held(facts, cx) {
            let call = Call::new(request, shared.classify.extensions(request));
            // The first that was busy has been noted; it need not be this one.
            if !call.has_tried(held.candidate.stats().id()) {
                call.note(held.candidate.stats().id());
            }
            return Poll::Ready(Reached {
                endpoint: held.endpoint,
                stats: Arc::clone(held.candidate.stats()),
                brief: weighing.brief(),
                now: facts.now(),
            });
        }
        let now = facts.now();
        let call = Call::new(request, shared.classify.extensions(request));
        let set = shared.hub.set();
        let mut last_resort = shared.hub.panic().is_on();
        while !self.skip.is_full() {
            let candidates =
                Candidates::new(set.candidates(), set.weights(), &self.skip, &weighing, now)
                    .as_last_resort(last_resort);
            let picked = shared.hub.policy().pick(set.table(), &candidates, &call);
            let Some((candidate, service)) = picked.and_then(|index| set.get(index)) else {
                // One that is well is worth waiting for.
                if last_resort || self.held.iter().any(|held| !held.last_resort) {
                    break;
                }
                last_resort = true;
                continue;
            };
            let stats = candidate.stats();
            // A clone of its own: one that is kept ready would keep its permits from others.
            let mut endpoint = service.lend();
            match endpoint.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    call.note(stats.id());
                    return Poll::Ready(Reached {
                        endpoint,
                        stats: Arc::clone(stats),
                        brief: weighing.brief(),
                        now,
                    });
                }
                Poll::Ready(Err(error)) => {
                    stats.fail(now, weighing.decay);
                    self.refused = Some(error.into());
                }
                Poll::Pending => {
                    if self.held.is_empty() {
                        call.note(stats.id());
                    }
                    self.held.push(Held {
                        endpoint,
                        candidate: candidate.clone(),
                        last_resort,
                    });
                }
            }
            self.skip.push(stats.id());
        }
        Poll::Pending
    }

    fn ready_held<Req>(&mut self, facts: &Facts, cx: &mut Context<'_>) -> Poll<Held<E>>
    where
        E: Service<Req>,
        E::Error: Into<BoxError>,
    {
        let mut at = 0;
        while let Some(held) = self.held.get_mut(at) {
            if !held.is_worth_it() {
                self.held.remove(at);
                continue;
            }
            match held.endpoint.poll_ready(cx) {
                // The others are let go with the search, and what they have reserved with them.
                Poll::Ready(Ok(())) => return Poll::Ready(self.held.swap_remove(at)),
                Poll::Ready(Err(error)) => {
                    let stats = held.candidate.stats();
                    stats.fail(facts.now(), facts.weighing().decay);
                    self.refused = Some(error.into());
                    self.held.remove(at);
                }
                Poll::Pending => at += 1,
            }
        }
        Poll::Pending
    }
}

impl<E> fmt::Debug for Search<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

// === impl Held ===

impl<E> Held<E> {
    /// Is it still one that may be called?
    fn is_worth_it(&self) -> bool {
        let open = match self.last_resort {
            true => self.candidate.is_last_resort(),
            false => self.candidate.state() <= State::Idle,
        };
        open && !self.candidate.is_gone()
    }
}
