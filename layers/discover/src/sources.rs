//! Sources that need nobody else.

use futures_util::{StreamExt, stream};
use std::{fmt, sync::Arc};
use tokio::sync::watch;
use ziggurat_core::{Change, Changes, Instance, Resolve};

/// Instances that never change.
///
/// Those of the service that is asked for are found, whichever other services are in the list.
#[derive(Clone, Debug)]
pub struct Fixed(Arc<[Arc<Instance>]>);

/// Instances that the holder of a `tokio::sync::watch` sender changes at will.
///
/// Those of the service that is asked for are found. When the sender is gone, the last value stays.
#[derive(Clone)]
pub struct Watched(watch::Receiver<Vec<Instance>>);

// === impl Fixed ===

impl Fixed {
    /// These instances.
    pub fn new(instances: impl IntoIterator<Item = Instance>) -> Self {
        Self(instances.into_iter().map(Arc::new).collect())
    }
}

impl Resolve for Fixed {
    fn resolve(&self, service: &str) -> Changes {
        let all = snapshot(self.0.iter().map(Arc::clone), service);
        let said = async move { Ok(all) };
        Box::pin(stream::once(said).chain(stream::pending()))
    }
}

// === impl Watched ===

impl Watched {
    /// The instances that `receiver` sees.
    #[must_use]
    pub const fn new(receiver: watch::Receiver<Vec<Instance>>) -> Self {
        Self(receiver)
    }

    /// These instances, until the sender says otherwise.
    pub fn channel(
        instances: impl IntoIterator<Item = Instance>,
    ) -> (watch::Sender<Vec<Instance>>, Self) {
        let (sender, receiver) = watch::channel(instances.into_iter().collect());
        (sender, Self(receiver))
    }
}

impl Resolve for Watched {
    fn resolve(&self, service: &str) -> Changes {
        let mut receiver = self.0.clone();
        // So that the value that is there now is the first to be said.
        receiver.mark_changed();
        let service: Arc<str> = service.into();
        Box::pin(stream::unfold(receiver, move |mut receiver| {
            let service = Arc::clone(&service);
            async move {
                if receiver.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                let seen = receiver.borrow_and_update().clone();
                let all = snapshot(seen.into_iter().map(Arc::new), &service);
                Some((Ok(all), receiver))
            }
        }))
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instances = self.0.borrow().len();
        f.debug_struct("Watched")
            .field("instances", &instances)
            .finish()
    }
}

/// The instances of `service`, ordered by id; of two with one id, the later one.
fn snapshot(instances: impl Iterator<Item = Arc<Instance>>, service: &str) -> Change {
    let of_service = instances.filter(|one| one.service() == service);
    let by_id: crate::members::Set = of_service.map(|one| (one.id().clone(), one)).collect();
    Change::All(by_id.into_values().collect())
}
