//! What the server has to do for a call, and how much of that it can do.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// A fixed number of workers, each of which takes a fixed time for a call: together they do so many
/// calls a second and no more, by construction and on any machine. Calls wait for a worker in order.
///
/// What a worker has begun it finishes, whether or not somebody still waits for it, as a database does.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Inner>);

struct Inner {
    /// One permit a worker. Without a bound, as in most servers that have no limit.
    free: Semaphore,
    /// How late the timers of the free workers were: the next call makes up for it, or the capacity
    /// would be that of the timers.
    late: Mutex<Vec<Duration>>,
    takes: Duration,
    tasks: Mutex<JoinSet<()>>,
}

// === impl Workers ===

impl Workers {
    pub(crate) fn new(workers: u32, takes: Duration) -> Self {
        Self(Arc::new(Inner {
            free: Semaphore::new(workers as usize),
            late: Mutex::new(vec![Duration::ZERO; workers as usize]),
            takes,
            tasks: Mutex::default(),
        }))
    }

    /// Has a worker do a call, once one is free.
    pub(crate) async fn work(&self) {
        let Ok(permit) = self.0.free.acquire().await else {
            return;
        };
        permit.forget();
        let _ended = self.begin().await;
    }

    /// From here on it is the worker's, and goes on when nobody waits for it any more.
    fn begin(&self) -> oneshot::Receiver<()> {
        let late = lock(&self.0.late).pop().unwrap_or_default();
        let due = Instant::now() + self.0.takes.saturating_sub(late);
        let (done, finished) = oneshot::channel();
        let workers = self.clone();
        let mut tasks = lock(&self.0.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            sleep_until(due).await;
            lock(&workers.0.late).push(due.elapsed());
            workers.0.free.add_permits(1);
            // Whoever asked may have gone.
            let _gone = done.send(());
        });
        finished
    }

    /// Ends what is under way.
    pub(crate) fn stop(&self) {
        drop(mem::take(&mut *lock(&self.0.tasks)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
