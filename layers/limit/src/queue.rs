//! How calls wait for a rate.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{self, timeout_at},
};
use ziggurat_core::{Deadline, InvalidSetting, clock};

use crate::{error::Refusal, shared::Shared};

/// How many calls may wait for a limit, and for how long.
///
/// # Defaults
///
/// A call waits for ten seconds at most, and never past its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    calls: usize,
    longest: Duration,
}

/// Those who wait.
pub(crate) struct Line {
    queue: Queue,
    waiting: AtomicUsize,
    /// What all who wait will cost.
    owed: AtomicU64,
    /// Whose turn it is; it is fair, so calls leave in the order in which they came.
    turn: Semaphore,
}

/// One who waits; dropped, it leaves.
struct Place {
    line: Arc<Line>,
    cost: u32,
}

const MOST: usize = 1_000_000;
const LONGEST: Duration = Duration::from_secs(3_600);
/// Whose turn it is looks again after so long: the rate may be another one by then.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

// === impl Queue ===

impl Queue {
    /// So many calls may wait.
    ///
    /// # Errors
    ///
    /// If it is zero or above 1,000,000.
    pub fn new(calls: usize) -> Result<Self, InvalidSetting> {
        if calls == 0 || calls > MOST {
            let rule = "must be from 1 to 1,000,000";
            return Err(InvalidSetting::new("limit queue", "calls", calls, rule));
        }
        Ok(Self {
            calls,
            longest: Duration::from_secs(10),
        })
    }

    /// None waits longer than this.
    ///
    /// # Errors
    ///
    /// If it is zero or above an hour.
    pub fn longest(mut self, wait: Duration) -> Result<Self, InvalidSetting> {
        if wait.is_zero() || wait > LONGEST {
            let rule = "must be above zero and at most an hour";
            return Err(InvalidSetting::new("limit queue", "longest", wait, rule));
        }
        self.longest = wait;
        Ok(self)
    }
}

// === impl Line ===

impl Line {
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue,
            waiting: AtomicUsize::new(0),
            owed: AtomicU64::new(0),
            turn: Semaphore::new(1),
        }
    }

    /// What may go at once goes; what would be too late, or one too many, is told so at once; all
    /// else waits in the future that is returned, until the time that is.
    pub(crate) fn join(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        cost: u32,
        deadline: Option<Deadline>,
    ) -> Result<
        Option<(
            impl Future<Output = Result<(), Refusal>> + Send + use<>,
            Deadline,
        )>,
        Refusal,
    > {
        // Relaxed here and below: they are counts, and order is kept by the semaphore.
        let fresh = self.waiting.load(Ordering::Relaxed) == 0;
        if fresh {
            match shared.try_take(cost) {
                Ok(()) => return Ok(None),
                Err(Refusal::Limited(_)) => (),
                Err(refusal) => return Err(refusal),
            }
        }
        let latest = Deadline::after(self.queue.longest);
        let latest = deadline.map_or(latest, |deadline| deadline.min(latest));
        let owed = self.owed.load(Ordering::Relaxed);
        let wait = shared.wait(owed.saturating_add(cost.into()));
        if wait > latest.remaining(clock::now()) {
            return Err(Refusal::Limited(wait));
        }
        let Some(place) = Place::take(self, cost) else {
            return Err(Refusal::Limited(wait));
        };
        shared.observer.tell(|observer| observer.queued());
        let shared = Arc::clone(shared);
        let turn = async move {
            let turn = timeout_at(latest.instant(), place.wait(&shared, latest));
            let over = || Err(Refusal::Limited(shared.wait(cost.into())));
            turn.await.unwrap_or_else(|_| over())
        };
        Ok(Some((turn, latest)))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("queue", &self.queue)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

// === impl Place ===

impl Place {
    fn take(line: &Arc<Line>, cost: u32) -> Option<Self> {
        let more = |waiting: usize| (waiting < line.queue.calls).then_some(waiting + 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        line.waiting.fetch_update(set, fetch, more).ok()?;
        line.owed.fetch_add(cost.into(), Ordering::Relaxed);
        Some(Self {
            line: Arc::clone(line),
            cost,
        })
    }

    async fn wait(&self, shared: &Shared, latest: Deadline) -> Result<(), Refusal> {
        // An error would mean that it is closed, which nobody does.
        let _turn = self.line.turn.acquire().await.ok();
        loop {
            // Whoever polls this may have been busy for long: what is too late takes nothing.
            let now = clock::present();
            if latest.is_over(now) {
                return Err(Refusal::Limited(shared.wait(self.cost.into())));
            }
            match shared.try_take_presently(self.cost) {
                Err(Refusal::Limited(wait)) if wait <= latest.remaining(now) => {
                    time::sleep(wait.min(LOOK_AGAIN)).await;
                }
                answer => return answer,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line
            .owed
            .fetch_sub(self.cost.into(), Ordering::Relaxed);
        self.line.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
