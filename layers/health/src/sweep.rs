//! Looks at all endpoints of a service at once, again and again.
//!
//! It begins with the first endpoint of a service if outliers are looked for, or with the first
//! failure after a live setting said so, and ends when it says otherwise or with the last endpoint.

use crate::{Settings, group::Group, group::lock, judge::Judge, outliers::Tally};
use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicU64, Ordering},
};
use tokio::{runtime::Handle, task::JoinSet};
use ziggurat_core::clock;

/// Whether calls are counted, and what looks at the counts.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// The number of the task that looks at what is counted; 0 for none. Read by every call, and
    /// hardly ever written.
    counting: AtomicU64,
    started: AtomicU64,
    /// A set of one, which ends its task when dropped.
    timer: Mutex<JoinSet<()>>,
}

/// Held by the task: nobody counts any more when it is gone, be it with its runtime.
struct Counting {
    group: Weak<Group>,
    number: u64,
}

// === impl Sweep ===

impl Sweep {
    pub(crate) fn is_counting(&self) -> bool {
        self.counting.load(Ordering::Relaxed) != 0
    }
}

// === impl Group ===

impl Group {
    /// Are calls counted from now on?
    pub(crate) fn begin_to_count(self: &Arc<Self>, runtime: Option<&Handle>) -> bool {
        if !self.settings.get().detects_outliers() {
            return false;
        }
        let mut timer = lock(&self.sweep.timer);
        if self.sweep.is_counting() {
            return true;
        }
        let number = self.sweep.started.fetch_add(1, Ordering::Relaxed) + 1;
        let sweeping = || {
            self.sweep.counting.store(number, Ordering::Relaxed);
            // Weak: of a service that nobody has there is nothing to be looked at.
            let group = Arc::downgrade(self);
            let counting = Counting { group, number };
            async move {
                let group = &counting.group;
                while let Some(interval) = group.upgrade().map(|group| group.interval()) {
                    tokio::time::sleep(interval).await;
                    if !group.upgrade().is_some_and(|group| group.sweep()) {
                        return;
                    }
                }
            }
        };
        let Some(started) = spawn(runtime, sweeping) else {
            return false;
        };
        *timer = started;
        true
    }

    fn interval(&self) -> std::time::Duration {
        self.settings.get().interval
    }

    /// An interval is over. Does another begin?
    fn sweep(&self) -> bool {
        let settings = self.settings.get();
        let mut judges = self.present();
        if settings.ejects_nobody() {
            // As gRFC A50 has it.
            let now = clock::now();
            judges.iter().for_each(|judge| judge.release(now));
        }
        judges.retain(|judge| judge.is_serving());
        let tallies: Vec<_> = judges.iter().map(|judge| judge.counts().take()).collect();
        if !settings.detects_outliers() {
            let _timer = lock(&self.sweep.timer);
            self.sweep.counting.store(0, Ordering::Relaxed);
            return false;
        }
        self.eject_outliers(&settings, &judges, &tallies);
        true
    }

    fn eject_outliers(&self, settings: &Settings, judges: &[Arc<Judge>], tallies: &[Tally]) {
        let now = clock::now();
        for (detection, enforcement, outliers) in settings.outliers(tallies) {
            for judge in outliers.into_iter().map(|index| &judges[index]) {
                if self.dice.below(100) < usize::from(enforcement) {
                    judge.condemn(detection, now);
                } else {
                    judge.pardon(detection);
                }
            }
        }
    }
}

// === impl Counting ===

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(group) = self.group.upgrade() {
            // Not if another has begun since.
            let (mine, order) = (self.number, Ordering::Relaxed);
            let _ = group.sweep.counting.compare_exchange(mine, 0, order, order);
        }
    }
}

/// Spawns what `task` makes on `runtime`, or if that is gone on the present one.
pub(crate) fn spawn<F>(runtime: Option<&Handle>, task: impl Fn() -> F) -> Option<JoinSet<()>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtimes = [runtime.cloned(), Handle::try_current().ok()];
    runtimes.into_iter().flatten().find_map(|runtime| {
        let mut spawned = JoinSet::new();
        spawned.spawn_on(task(), &runtime);
        // A runtime that has been shut down ends its tasks before they start.
        spawned.try_join_next().is_none().then_some(spawned)
    })
}
