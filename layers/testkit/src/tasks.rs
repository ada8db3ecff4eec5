//! Tasks with an owner.

use crate::lock;
use std::{
    mem,
    sync::{Arc, Mutex},
};
use tokio::task::JoinSet;

/// A set of tasks that ends when its [`Owner`] is dropped. Tasks of the set may add tasks to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Ends the tasks on drop: the set itself cannot, as its tasks hold it too.
#[derive(Debug, Default)]
pub(crate) struct Owner(Tasks);

// === impl Tasks ===

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = lock(&self.0);
        // Reaps what ended, or the set of a long test only grows.
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// Ends every task, and returns when each one is gone.
    pub(crate) async fn abort(&self) {
        loop {
            let mut set = mem::take(&mut *lock(&self.0));
            if set.is_empty() {
                return;
            }
            set.shutdown().await;
        }
    }

    /// Returns when every task has ended by itself.
    pub(crate) async fn join(&self) {
        loop {
            let mut set = mem::take(&mut *lock(&self.0));
            if set.is_empty() {
                return;
            }
            while set.join_next().await.is_some() {}
        }
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

// === impl Owner ===

impl Owner {
    pub(crate) const fn tasks(&self) -> &Tasks {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.0.0).abort_all();
    }
}
