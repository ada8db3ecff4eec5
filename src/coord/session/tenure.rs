//! For how long something is held, by the clock of this process.

use super::{Loss, Lost, MAX_TTL};
use crate::coord::store::{Lease, LeaseId};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::sync::watch;
use ziggurat_core::clock::{self, Instant};

/// The time for which a [`Session`](super::Session) is held: a lock, a leadership, an instance id.
///
/// It is what work is bound to that runs anywhere else, such as in tasks of its own: clone it as
/// often as you like. It ends when whatever it comes from is given up or lost, and keeps nothing
/// held and no store open.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use ziggurat::coord::{Election, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let election = Election::new(Arc::new(MemoryStore::new()), "scheduler")?;
/// let leadership = election.campaign("node-1").await?;
///
/// let tenure = leadership.tenure();
/// let work = tokio::spawn(async move { tenure.run(std::future::pending::<()>()).await });
/// leadership.resign().await?;
/// assert!(work.await?.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tenure(Arc<State>);

#[derive(Debug)]
struct State {
    lease: Lease,
    begun: Instant,
    /// Until when it is held for certain, in nanoseconds since it was asked for; 0 once it is lost. An atomic,
    /// because ids are checked against it by the million.
    until: AtomicU64,
    loss: watch::Sender<Option<Loss>>,
}

// === impl Tenure ===

impl Tenure {
    /// That of a lease that was asked for at `asked`.
    pub(super) fn new(lease: Lease, asked: Instant) -> Self {
        let tenure = Self(Arc::new(State {
            lease,
            begun: asked,
            until: AtomicU64::new(1),
            loss: watch::Sender::new(None),
        }));
        tenure.extend(asked, lease.ttl);
        tenure
    }

    /// The lease that it hangs on.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.0.lease.id
    }

    /// For how long it lasts for certain if no further renewal succeeds; zero once it is over.
    ///
    /// By the clock of this process: the store is not asked.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.until().saturating_duration_since(clock::now())
    }

    /// Whether it lasts for certain.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.check().is_ok()
    }

    /// Nothing while it lasts for certain.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn check(&self) -> Result<(), Lost> {
        if clock::now() < self.until() {
            return Ok(());
        }
        // The keeper may be late to say so.
        let loss = self.0.loss.borrow().unwrap_or(Loss::Expired);
        Err(Lost::new(self.lease(), loss))
    }

    /// Ends when it is over, or may be, and says why; before the store gives it to others.
    ///
    /// It holds on to nothing: it may be moved into another task.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        let (lease, mut loss) = (self.lease(), self.0.loss.subscribe());
        async move {
            let lost = loss.wait_for(Option::is_some).await;
            let loss = lost.ok().and_then(|loss| *loss);
            Lost::new(lease, loss.unwrap_or(Loss::Released))
        }
    }

    /// Works for as long as it lasts; once it does not, the work is dropped where it stands.
    ///
    /// # Errors
    ///
    /// Why it was lost before the work was done.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Lost> {
        let (mut lost, mut work) = (pin!(self.lost()), pin!(work));
        poll_fn(|cx| {
            if let Poll::Ready(lost) = lost.as_mut().poll(cx) {
                return Poll::Ready(Err(lost));
            }
            // A thread that was held up is polled before the task that would have told.
            if let Err(lost) = self.check() {
                return Poll::Ready(Err(lost));
            }
            work.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    pub(super) fn granted(&self) -> Duration {
        self.0.lease.ttl
    }

    /// Until when it is held for certain; a time gone by once it is lost.
    pub(super) fn until(&self) -> Instant {
        self.0.begun + Duration::from_nanos(self.0.until.load(Ordering::Acquire))
    }

    /// The store gave it `ttl`, some time after `asked`. What is lost stays lost.
    pub(super) fn extend(&self, asked: Instant, ttl: Duration) {
        let ttl = ttl.min(MAX_TTL);
        // A tenth for clocks that run differently, and for saying so before it is true.
        let until = asked + (ttl - ttl / 10);
        let until = u64::try_from((until - self.0.begun).as_nanos()).unwrap_or(u64::MAX);
        let extend = |held: u64| (held != 0).then_some(until);
        // Release pairs with the Acquire in `until`: whoever sees the time sees what came before.
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let _lost = self.0.until.fetch_update(order.0, order.1, extend);
    }

    /// It is lost, for this reason if for no earlier one.
    pub(super) fn lose(&self, loss: Loss) -> Lost {
        self.0.until.store(0, Ordering::Release);
        self.0.loss.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert(loss);
            first
        });
        let loss = self.0.loss.borrow().unwrap_or(loss);
        Lost::new(self.lease(), loss)
    }
}
