//! A service of plain values that answers on cue.

use crate::{BoxError, BoxFuture, Step, lock};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower_service::Service;

/// Answers each call with the next [`Step`], and remembers the requests; clones play the same script. Always ready.
pub struct Script<Req, Rsp>(Arc<Mutex<State<Req, Rsp>>>);

struct State<Req, Rsp> {
    cues: Cues<Req, Rsp>,
    seen: Vec<Req>,
}

/// Where the steps come from.
pub(crate) enum Cues<Req, Rsp> {
    Queue(VecDeque<Step<Rsp>>),
    Ask(Box<dyn FnMut(usize, &Req) -> Step<Rsp> + Send>),
}

// === impl Script ===

impl<Req, Rsp> Script<Req, Rsp> {
    /// Plays `steps` in order; the last one is played again for every call after it.
    ///
    /// # Panics
    /// When there is no step.
    pub fn new(steps: impl IntoIterator<Item = Step<Rsp>>) -> Self {
        Self::from_cues(Cues::queue(steps))
    }

    /// Asks `next` for each step, by the number of the call (from 0) and its request.
    pub fn by(next: impl FnMut(usize, &Req) -> Step<Rsp> + Send + 'static) -> Self {
        Self::from_cues(Cues::Ask(Box::new(next)))
    }

    /// How many calls arrived.
    #[must_use]
    pub fn calls(&self) -> usize {
        lock(&self.0).seen.len()
    }

    fn from_cues(cues: Cues<Req, Rsp>) -> Self {
        Self(Arc::new(Mutex::new(State {
            cues,
            seen: Vec::new(),
        })))
    }
}

impl<Req: Clone, Rsp> Script<Req, Rsp> {
    /// The requests that arrived, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Req> {
        lock(&self.0).seen.clone()
    }
}

impl<Req, Rsp> Service<Req> for Script<Req, Rsp>
where
    Rsp: Clone + Send + 'static,
{
    type Response = Rsp;
    type Error = BoxError;
    type Future = BoxFuture<Result<Rsp, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let mut state = lock(&self.0);
        let number = state.seen.len();
        let step = state.cues.next(number, &request);
        state.seen.push(request);
        Box::pin(step.play())
    }
}

impl<Req, Rsp> Clone for Script<Req, Rsp> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Req, Rsp> fmt::Debug for Script<Req, Rsp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

// === impl Cues ===

impl<Req, Rsp> Cues<Req, Rsp> {
    pub(crate) fn queue(steps: impl IntoIterator<Item = Step<Rsp>>) -> Self {
        let steps = VecDeque::from_iter(steps);
        assert!(!steps.is_empty(), "a script has at least one step");
        Self::Queue(steps)
    }
}

impl<Req, Rsp: Clone> Cues<Req, Rsp> {
    pub(crate) fn next(&mut self, number: usize, request: &Req) -> Step<Rsp> {
        match self {
            Self::Ask(next) => next(number, request),
            Self::Queue(steps) if steps.len() == 1 => steps[0].clone(),
            Self::Queue(steps) => steps.pop_front().expect("the last step stays"),
        }
    }
}
