//! The one task of a balancer: it follows discovery, whether there are calls or not.

use crate::facts::Facts;
use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{runtime::Handle, task::JoinSet};
use ziggurat_core::contain;

/// Starts the task at first use, and ends it when dropped.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// A set of one: it ends its task when dropped.
    task: Mutex<JoinSet<()>>,
}

struct Shared {
    stage: AtomicU8,
    /// What the task does. It outlives the task, whose runtime may be shut down before the next
    /// call comes from another one.
    following: Mutex<Option<Following>>,
    facts: Arc<Facts>,
}

/// The task.
struct Turn(Arc<Shared>);

/// Discovery has panicked.
#[derive(Clone, Copy, Debug)]
struct Panicked;

type Following = Pin<Box<dyn Future<Output = ()> + Send>>;

/// No task runs, and the next call starts one.
const WAITING: u8 = 0;
const RUNNING: u8 = 1;
/// No task runs, and none ever will: the discovery has ended, or the balancer has.
const ENDED: u8 = 2;

// === impl Driver ===

impl Driver {
    pub(crate) fn new(
        following: impl Future<Output = ()> + Send + 'static,
        facts: Arc<Facts>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                stage: AtomicU8::new(WAITING),
                following: Mutex::new(Some(Box::pin(following))),
                facts,
            }),
            task: Mutex::new(JoinSet::new()),
        }
    }

    /// Is there nothing to start?
    pub(crate) fn is_started(&self) -> bool {
        // Relaxed: a hint that saves the lock.
        self.shared.stage.load(Ordering::Relaxed) != WAITING
    }

    /// Starts the task unless it runs; says whether it could, which it cannot outside of a runtime.
    pub(crate) fn start(&self) -> bool {
        if self.is_started() {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut task = lock(&self.task);
        if self.shared.turn(WAITING, RUNNING) {
            let mut set = JoinSet::new();
            // Nobody joins it: it ends with its discovery, or when the last clone is dropped.
            set.spawn_on(Turn(Arc::clone(&self.shared)), &runtime);
            *task = set;
        }
        true
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Before the task is dropped, which would complain.
        self.shared.stage.store(ENDED, Ordering::Relaxed);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.shared.stage.load(Ordering::Relaxed) == RUNNING;
        f.debug_struct("Driver").field("running", &running).finish()
    }
}

// === impl Shared ===

impl Shared {
    fn turn(&self, from: u8, to: u8) -> bool {
        let order = Ordering::Relaxed;
        self.stage.compare_exchange(from, to, order, order).is_ok()
    }
}

// === impl Turn ===

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &*self.0;
        let mut slot = lock(&shared.following);
        let Some(following) = slot.as_mut() else {
            return Poll::Ready(());
        };
        // What follows discovery is never polled again after a panic, so nobody sees it broken.
        let polled = contain(|| following.as_mut().poll(cx));
        if let Some(Poll::Pending) = polled {
            return Poll::Pending;
        }
        shared.turn(RUNNING, ENDED);
        let over = slot.take();
        drop(slot);
        if polled.is_none() {
            shared.facts.lost(&Panicked);
        }
        drop(over);
        Poll::Ready(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0.turn(RUNNING, WAITING) {
            let service = self.0.facts.service();
            tracing::warn!(
                service,
                "the runtime that discovery was followed in is gone; the next call follows it in its own"
            );
        }
    }
}

// === impl Panicked ===

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("discovery panicked: the endpoints stay as they are")
    }
}

impl std::error::Error for Panicked {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
