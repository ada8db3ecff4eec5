//! A lease that is held: renewed by a task of its own, and given up locally before the store does.

mod keeper;
mod lost;
mod sentry;
mod tenure;

use self::{keeper::Keeper, sentry::Sentry};
use super::{
    ask::limited,
    store::{LeaseId, Store, StoreError},
};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, task::JoinSet};
use ziggurat_core::{Dice, clock};

pub use self::{
    lost::{Loss, Lost},
    tenure::Tenure,
};

/// A lease that is kept alive for as long as this lives, or until it is lost; then for good.
///
/// Dropped, it ends the lease by the best effort that is possible without waiting: at once on the
/// embedded store. To be sure, [`close`](Self::close).
///
/// ```text
///   open: grant --> held: renew every third --> lost, for good
///                     |      ^                    ^
///                     +------+                    +-- not renewed in time, by our own clock
///                                                 +-- the store knows the lease no more
///                                                 +-- a key that was made with it is gone
///                                                 +-- closed or dropped
/// ```
///
/// Time is counted from when a renewal was *sent*, and a tenth of it is left unused: this side gives
/// up while the store still holds the lease, even if the two clocks run a little differently. The
/// clock is the monotonic one of the system: it goes on while the process is stopped, but on most
/// systems not while the whole machine sleeps, or its virtual machine is paused. And no clock can see
/// a process that is frozen after it asked whether it still holds. So whatever must not happen twice
/// needs a fencing token that the resource itself checks.
///
/// # Example
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use ziggurat::coord::{MemoryStore, Put, Range, Session, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
/// let session = Session::open(Arc::clone(&store), Duration::from_secs(30)).await?;
/// store.put(Put::new("here", "me").lease(session.lease())).await?;
///
/// // Stops at the moment when the lease may be gone.
/// let answer = session.run(async { 42 }).await?;
/// assert_eq!(answer, 42);
///
/// session.close().await?;
/// assert_eq!(store.range(Range::one("here")).await?.count, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    store: Arc<dyn Store>,
    tenure: Tenure,
    /// Renews; and looks after keys, one task each.
    tasks: JoinSet<()>,
    ended: bool,
}

/// Below this a renewal is hardly sent before the lease is over.
const MIN_TTL: Duration = Duration::from_millis(100);
/// Above this it would take too long until somebody else has a turn.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Session ===

impl Session {
    /// Opens a lease of `ttl`, 100 ms to 24 h; the store may grant more.
    ///
    /// Dropped before it answers, it may leave behind a lease without keys, until that runs out.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] for another `ttl`, [`StoreError::Unavailable`] without a
    /// runtime or if the lease is over before it is here, and what the store answers.
    pub async fn open(store: Arc<dyn Store>, ttl: Duration) -> Result<Self, StoreError> {
        Self::open_with(store, ttl, &Dice::new()).await
    }

    pub(super) async fn open_with(
        store: Arc<dyn Store>,
        ttl: Duration,
        dice: &Dice,
    ) -> Result<Self, StoreError> {
        check_ttl(ttl)?;
        let runtime = Handle::try_current();
        let runtime = runtime.map_err(|error| StoreError::unavailable(error.to_string()))?;
        let asked = clock::now();
        let lease = limited(store.grant(ttl)).await?;
        let mut session = Self {
            store,
            tenure: Tenure::new(lease, asked),
            tasks: JoinSet::new(),
            ended: false,
        };
        if !session.is_held() {
            return Err(StoreError::unavailable("the lease was granted too late"));
        }
        let keeper = Keeper::new(&session, asked, dice.clone());
        // Renewals must go on whatever the owner awaits.
        session.tasks.spawn_on(keeper.run(), &runtime);
        Ok(session)
    }

    /// The lease, for keys that shall end with it.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.tenure.lease()
    }

    /// For how long it is held for certain if no further renewal succeeds; zero once it is lost.
    ///
    /// By the clock of this process: the store is not asked.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.tenure.ttl()
    }

    /// Whether it is held for certain.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.check().is_ok()
    }

    /// Nothing while it is held for certain.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn check(&self) -> Result<(), Lost> {
        self.tenure.check()
    }

    /// Ends when the lease is lost, or may be, and says why; before the store gives it to others.
    ///
    /// It holds on to nothing: it may be moved into another task.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        self.tenure.lost()
    }

    /// Works for as long as the lease is held; once it is not, the work is dropped where it stands.
    ///
    /// # Errors
    ///
    /// Why the lease was lost before the work was done.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Lost> {
        self.tenure.run(work).await
    }

    /// The time for which it is held, for work that runs anywhere else.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Ends the lease, with all keys attached to it, and waits for it.
    ///
    /// From the first poll on it counts as lost. Dropped halfway, it ends as a dropped session does.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseNotFound`] if it had been lost before, and what else the store answers;
    /// then its keys stay until the lease runs out.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.tenure.lose(Loss::Released);
        self.tasks.abort_all();
        let revoked = limited(self.store.revoke(self.lease())).await;
        self.ended = matches!(revoked, Ok(()) | Err(StoreError::LeaseNotFound { .. }));
        revoked
    }

    /// Looks after a key that was made with this lease at `created`, and was there right before
    /// `from`: once it is gone, so is the lease, for all that concerns its owner.
    pub(super) fn guard(&mut self, key: &str, created: i64, from: i64, dice: &Dice) {
        let sentry = Sentry::new(self, key, created, from, dice);
        if let Ok(runtime) = Handle::try_current() {
            // Somebody may delete the key while its owner awaits anything else.
            self.tasks.spawn_on(sentry.run(), &runtime);
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// It is known to be lost, by another way.
    pub(super) fn lose(&self, loss: Loss) -> Lost {
        self.tenure.lose(loss)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tenure.lose(Loss::Released);
        if !self.ended {
            self.store.abandon(self.lease());
        }
    }
}

/// Refuses a time to live that cannot work.
pub(super) fn check_ttl(ttl: Duration) -> Result<(), StoreError> {
    if (MIN_TTL..=MAX_TTL).contains(&ttl) {
        return Ok(());
    }
    let rule = "must be from 100 ms to 24 h";
    Err(StoreError::invalid("ttl", format!("{ttl:?}"), rule))
}
