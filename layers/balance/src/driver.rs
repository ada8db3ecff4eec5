//! The one task of a balancer: it follows discovery, whether there are calls or not.

use crate::{hub::Hub, set::Book};
use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinSet};
use tower::discover::{Change, Discover};
use ziggurat_core::{BoxError, Endpoint, EndpointId};

/// Starts the task at first use, and ends it when dropped.
pub(crate) struct Driver {
    running: AtomicBool,
    stage: Mutex<Stage>,
}

enum Stage {
    Waiting(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// A set of one: it ends its task when dropped.
    Running {
        _task: JoinSet<()>,
    },
}

/// What one look at a discovery may find.
enum Batch {
    /// So many changes, and there may be more.
    Full,
    /// Nothing more for now.
    Drained,
    /// An error, after so many in a row.
    Trouble(u32),
    Ended,
}

/// The most changes before they are published and others get their turn.
const BATCH: usize = 4_096;
/// A discovery that fails at once, each time it is asked, is not asked all the time.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

// === impl Driver ===

impl Driver {
    pub(crate) fn new(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            running: AtomicBool::new(false),
            stage: Mutex::new(Stage::Waiting(Box::pin(task))),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        // Relaxed: a hint that saves the lock.
        self.running.load(Ordering::Relaxed)
    }

    /// Starts the task, once; says whether it runs, which it cannot outside of a runtime.
    pub(crate) fn start(&self) -> bool {
        if self.is_running() {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Waiting(_) = &*stage {
            let mut set = JoinSet::new();
            let running = Stage::Running {
                _task: JoinSet::new(),
            };
            if let Stage::Waiting(task) = std::mem::replace(&mut *stage, running) {
                // Nobody joins it: it ends with its discovery, or when the last clone is dropped.
                set.spawn_on(task, &runtime);
                *stage = Stage::Running { _task: set };
            }
            self.running.store(true, Ordering::Relaxed);
        }
        true
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

/// Follows `discover` until it ends, and publishes what it says to `hub`.
pub(crate) async fn follow<D>(discover: D, hub: Arc<Hub<D::Service>>)
where
    D: Discover<Key = EndpointId>,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
{
    let mut discover = pin!(discover);
    let mut book = Book::new(Arc::clone(hub.facts()));
    let mut errors = 0;
    loop {
        let batch = next_batch(discover.as_mut(), &mut book, &hub, &mut errors).await;
        match batch {
            Batch::Full => tokio::task::yield_now().await,
            Batch::Drained => {}
            Batch::Trouble(errors) => {
                let pause = PAUSE.saturating_mul(1 << errors.min(16)).min(LONGEST_PAUSE);
                tokio::time::sleep(pause).await;
            }
            Batch::Ended => {
                // The last word stands. A stream that has ended is not asked again.
                tracing::debug!(service = hub.facts().service(), "discovery ended");
                return;
            }
        }
    }
}

/// Takes in all that is there, and publishes once.
async fn next_batch<D>(
    mut discover: Pin<&mut D>,
    book: &mut Book<D::Service>,
    hub: &Hub<D::Service>,
    errors: &mut u32,
) -> Batch
where
    D: Discover<Key = EndpointId>,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
{
    let mut changes = 0;
    poll_fn(|cx| {
        let batch = loop {
            if changes == BATCH {
                break Batch::Full;
            }
            match discover.as_mut().poll_discover(cx) {
                Poll::Ready(Some(Ok(change))) => {
                    apply(change, book, hub);
                    *errors = 0;
                    changes += 1;
                }
                Poll::Ready(Some(Err(error))) => {
                    hub.facts().trouble(&error.into());
                    *errors = errors.saturating_add(1);
                    break Batch::Trouble(*errors - 1);
                }
                Poll::Ready(None) => break Batch::Ended,
                Poll::Pending if changes == 0 => return Poll::Pending,
                Poll::Pending => break Batch::Drained,
            }
        };
        if changes > 0 {
            let memory = hub.facts().settings().memory();
            hub.publish(book.publish(hub.facts().now(), memory));
        }
        Poll::Ready(batch)
    })
    .await
}

fn apply<E: Endpoint>(change: Change<EndpointId, E>, book: &mut Book<E>, hub: &Hub<E>) {
    match change {
        Change::Insert(id, endpoint) => {
            endpoint.availability().listen(hub.changed());
            book.insert(id, endpoint);
        }
        Change::Remove(id) => book.remove(&id, hub.facts().now()),
    }
}
