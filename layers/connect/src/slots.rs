//! The streams that the connections of an endpoint may have open, handed out in order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};

/// As many permits as there are free streams, over all lanes of one group.
///
/// ```text
/// permits that nobody has + permits with whom no slot was taken yet - owed = the room of all lanes
/// ```
#[derive(Debug)]
pub(crate) struct Slots {
    free: Semaphore,
    /// Permits that are out although the room for their slots went: they are not free when they
    /// come back.
    owed: AtomicUsize,
    waiting: AtomicUsize,
    max_waiting: usize,
    wanted: Notify,
    over: Notify,
}

/// Why there is no slot to be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The group takes no new calls.
    Closed,
    /// Too many wait already.
    Crowded,
}

/// Takes one waiter off the count, also when it is dropped while it waits.
struct Waiting<'s>(&'s Slots);

// === impl Slots ===

impl Slots {
    /// None; lanes bring them.
    pub(crate) fn new(max_waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Semaphore::new(0),
            owed: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            max_waiting,
            wanted: Notify::new(),
            over: Notify::new(),
        })
    }

    /// Takes a permit, after all who asked before: a lane has room, or owes it.
    pub(crate) async fn permit(&self) -> Result<(), NoSlot> {
        match self.permit_at_once() {
            Ok(()) => {}
            Err(TryAcquireError::Closed) => return Err(NoSlot::Closed),
            Err(TryAcquireError::NoPermits) => {
                let _waiting = self.wait().ok_or(NoSlot::Crowded)?;
                let permit = self.free.acquire().await;
                permit.map_err(|_| NoSlot::Closed)?.forget();
            }
        }
        Ok(())
    }

    /// Takes a permit, if there is one: it cannot overtake, for what comes free goes to those who
    /// wait.
    pub(crate) fn permit_at_once(&self) -> Result<(), TryAcquireError> {
        self.free.try_acquire().map(SemaphorePermit::forget)
    }

    /// So many more are free, less what is owed.
    pub(crate) fn give(&self, more: usize) {
        let forgiven = self.forgive(more);
        if more > forgiven {
            self.free.add_permits(more - forgiven);
        }
    }

    /// So many fewer are free, or will be.
    pub(crate) fn withdraw(&self, fewer: usize) {
        let taken = self.free.forget_permits(fewer);
        self.owed.fetch_add(fewer - taken, Ordering::Relaxed);
    }

    /// Sends everybody away who waits, and who comes.
    pub(crate) fn close(&self) {
        self.free.close();
        self.over.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.free.is_closed()
    }

    /// Ready when it is closed.
    pub(crate) async fn closed(&self) {
        let over = self.over.notified();
        if !self.is_closed() {
            over.await;
        }
    }

    /// Does anybody wait?
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Ready when somebody has begun to wait, or [`ask`](Self::ask) was called.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Has whoever awaits [`wanted`](Self::wanted) look again.
    pub(crate) fn ask(&self) {
        self.wanted.notify_one();
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(self);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        self.ask();
        (before < self.max_waiting).then_some(waiting)
    }

    /// Takes up to `most` off what is owed; answers how much.
    fn forgive(&self, most: usize) -> usize {
        // Nearly always there is nothing, and then nobody writes.
        if self.owed.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let less = |owed: usize| (owed > 0).then(|| owed - owed.min(most));
        let update = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        update.map_or(0, |owed| owed.min(most))
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
