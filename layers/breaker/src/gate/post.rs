//! Stands at an endpoint: what its circuit decides becomes what the balance may pick.

use crate::{Permit, circuit::Circuit, permit::Shared};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};
use ziggurat_core::{Availability, Outcome, Record, Reporter, State, clock};

/// The circuit of an endpoint, and whom it tells.
pub(super) struct Post {
    shared: Shared,
    availability: Availability,
    /// Looks again when a probe is due; a set of one, which ends its task when dropped.
    timer: Mutex<JoinSet<()>>,
    /// Where the timer runs, whoever drops the last body of a call.
    runtime: Option<Handle>,
}

/// Tells the circuit of an endpoint how a call ended; the record of every response that a
/// [`Gated`](crate::Gated) endpoint answers with.
#[derive(Debug)]
pub struct Pass {
    permit: Permit,
    post: Arc<Post>,
}

// === impl Post ===

impl Post {
    pub(super) fn new(circuit: Circuit, availability: Availability) -> Self {
        Self {
            shared: Shared::new(circuit),
            availability,
            timer: Mutex::new(JoinSet::new()),
            runtime: Handle::try_current().ok(),
        }
    }

    /// `None`: the call should not be here, and how it ends says nothing.
    pub(super) fn admit(this: &Arc<Self>) -> Option<Pass> {
        let permit = this.shared.admit_quietly();
        this.look();
        permit.map(|permit| Pass {
            permit,
            post: Arc::clone(this),
        })
    }

    /// Nearly always all is well, and that costs two loads.
    fn look(self: &Arc<Self>) {
        let said = self.availability.reported(Reporter::Circuit);
        if said != State::Ready || !self.shared.circuit().is_closed() {
            self.tell();
        }
    }

    /// Tells what holds now. The lock keeps what is told in order.
    #[cold]
    fn tell(self: &Arc<Self>) {
        let timer = self.timer.lock();
        let mut timer = timer.unwrap_or_else(PoisonError::into_inner);
        *timer = JoinSet::new();
        let wait = self.shared.circuit().unpickable_for(clock::now());
        let state = if wait.is_zero() || !self.looks_again(wait, &mut timer) {
            State::Ready
        } else {
            State::Ejected
        };
        self.availability.report(Reporter::Circuit, state);
    }

    /// Looks again after so long, where the endpoint was made or else here. Not outside of a runtime:
    /// nothing would ever bring the endpoint back.
    fn looks_again(self: &Arc<Self>, wait: Duration, timer: &mut JoinSet<()>) -> bool {
        let runtimes = [self.runtime.clone(), Handle::try_current().ok()];
        runtimes.into_iter().flatten().any(|runtime| {
            let post = Arc::downgrade(self);
            let look_again = async move {
                sleep(wait).await;
                if let Some(post) = post.upgrade() {
                    post.tell();
                }
            };
            timer.spawn_on(look_again, &runtime);
            // A runtime that has been shut down ends its tasks before they start.
            timer.try_join_next().is_none()
        })
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Post").field(self.shared.circuit()).finish()
    }
}

// === impl Pass ===

impl Record for Pass {
    fn responded(&mut self) {
        self.permit.responded();
        self.post.look();
    }

    fn settle(self, outcome: Outcome) {
        let Self { permit, post } = self;
        permit.settle(outcome);
        post.look();
    }
}
