//! The store on an etcd cluster.

mod cluster;
mod endpoint;
mod explain;
mod farewell;
mod fault;
mod generations;
mod member;
mod namespace;
mod request;
mod response;
mod rotation;
mod secret;
mod settings;
mod tls;
mod watcher;

pub use self::{secret::Secret, settings::EtcdSettings, tls::EtcdTls};

use self::{
    cluster::{Ask, Cluster},
    farewell::Farewell,
    fault::Cause,
    namespace::Namespace,
    watcher::{MAX_MESSAGE, Watcher},
};
use super::{
    memory::check,
    store::{
        Lease, LeaseId, LeaseStatus, Range, RangeResponse, Store, StoreError, StoreFuture, Txn,
        TxnResponse, Watch, WatchStream,
    },
};
use futures_util::{StreamExt, stream};
use std::{sync::Arc, time::Duration};

/// A [`Store`] on an etcd cluster, version 3.4 or newer; clones are the same connections.
///
/// | trouble | what it does |
/// |---|---|
/// | a member hangs or fails | leaves it for another one, and tries it again later, for ever |
/// | no member answers | [`StoreError::Unavailable`] after a bounded number of tries; a caller that asks again finds the cluster as soon as it is back |
/// | a watch breaks or falls silent | resumes it after the last revision, with another member |
/// | a member has lost its leader | does not believe it, and leaves it |
/// | what a watch needs is compacted | [`WatchError::Compacted`](super::WatchError::Compacted) |
/// | another cluster answers, or one that was restored from a backup | counts a [generation](Store::generation), and ends its watches by [`WatchError::Replaced`](super::WatchError::Replaced) |
/// | the cluster forgot who we are | signs in again, once a question |
///
/// A question is asked again, of another member, only if that cannot do anything twice: reads,
/// renewals, and what certainly never arrived. Reads are answered in turn by all members, and are
/// linearizable unless they ask for less.
///
/// Everything starts with the first question: there is no task before that, and those of the
/// connections end with the last clone. What was dropped with it or before is still given back, as
/// long as the runtime lives: that is done in the background, or given up after a few tries.
///
/// # Building it
///
/// The build of etcd-client runs `protoc`, the compiler of protocol buffers. Whoever depends on
/// this crate with the feature `etcd` needs one: from the system (`protobuf-compiler` on Debian,
/// `protobuf` on macOS), or anything else that `PROTOC` points to. The repository of this crate has
/// a stand-in that needs nothing but cargo, `tools/protoc`, which its own builds use.
///
/// # Example
///
/// ```no_run
/// use std::sync::Arc;
/// use ziggurat::coord::{EtcdSettings, EtcdStore, Registry};
/// use ziggurat_core::Instance;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = EtcdSettings::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"])?;
/// let store = EtcdStore::connect(settings.user("orders", "secret")).await?;
/// let registry = Registry::new(Arc::new(store));
/// let registration = registry.register(Instance::new("orders", "orders-1", "10.0.1.7", 80)?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EtcdStore {
    cluster: Arc<Cluster>,
    namespace: Namespace,
    farewell: Arc<Farewell>,
}

/// What etcd allows (`lease/lessor.go`): about 285 years.
const MAX_TTL: Duration = Duration::from_secs(9_000_000_000);

// === impl EtcdStore ===

impl EtcdStore {
    /// Connects to a cluster, and answers once it has answered.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no member answers in the time of the tries,
    /// [`StoreError::Denied`] if the user or the password is wrong, and
    /// [`StoreError::InvalidArgument`] if a certificate or a key is.
    pub async fn connect(settings: EtcdSettings) -> Result<Self, StoreError> {
        let store = Self::lazy(settings);
        match watcher::revision(&store.cluster, &store.namespace).await {
            // Signed in, and not allowed to read just this key, which nobody has.
            Err(StoreError::Denied { reason }) if reason == "permission denied" => Ok(store),
            answer => answer.map(|_revision| store),
        }
    }

    /// Connects when it is first asked something, and cannot fail before that.
    #[must_use]
    pub fn lazy(settings: EtcdSettings) -> Self {
        let namespace = Namespace::new(settings.namespace.clone());
        Self {
            cluster: Arc::new(Cluster::new(settings)),
            namespace,
            farewell: Arc::new(Farewell::new()),
        }
    }

    fn boxed<'a, T, F>(question: F) -> StoreFuture<'a, T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'a,
    {
        Box::pin(question)
    }
}

impl Store for EtcdStore {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        Self::boxed(async move {
            check::keys(&range.keys)?;
            let ask = if range.serializable {
                Ask::READ_STALE
            } else {
                Ask::READ
            };
            let since = self.cluster.generations().since();
            let asked = self.cluster.ask(ask, |client| {
                let (key, options) = request::range(&range, &self.namespace);
                let client = client.kv_client();
                let mut client = client.max_decoding_message_size(MAX_MESSAGE);
                async move { client.get(key, Some(options)).await }
            });
            match asked.await {
                Ok(answer) => {
                    let (known, header) = (self.cluster.generations(), answer.0.header.as_ref());
                    if range.serializable {
                        known.hear(header);
                    } else {
                        known.hear_linearizable(header, since);
                    }
                    response::range(answer.0, &self.namespace)
                }
                Err(cause) => Err(self.explain_range(cause, range.revision).await),
            }
        })
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        Self::boxed(async move {
            check::sense(&txn)?;
            let since = self.cluster.generations().since();
            let asked = self.cluster.ask(Ask::CHANGE, |client| {
                let request = request::txn(&txn, &self.namespace);
                let client = client.kv_client();
                let mut client = client.max_decoding_message_size(MAX_MESSAGE);
                async move { client.txn(request).await }
            });
            match asked.await {
                Ok(answer) => {
                    let (known, header) = (self.cluster.generations(), answer.0.header.as_ref());
                    // A member answers a transaction like that by itself.
                    if request::is_serializable(&txn) {
                        known.hear(header);
                    } else {
                        known.hear_linearizable(header, since);
                    }
                    response::txn(answer.0, &self.namespace)
                }
                Err(cause) => Err(self.explain_txn(cause, &txn).await),
            }
        })
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        Self::boxed(async move {
            if ttl.is_zero() || ttl > MAX_TTL {
                let rule = "must be above zero and at most 9000000000 seconds";
                return Err(StoreError::invalid("ttl", format_args!("{ttl:?}"), rule));
            }
            // Down would be less than was asked for, and 0 is refused.
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let asked = self.cluster.ask(Ask::CHANGE, |client| async move {
                client.lease_client().grant(seconds, None).await
            });
            let granted = asked.await.map_err(Cause::into_store)?;
            Ok(Lease {
                id: LeaseId(granted.id()),
                ttl: response::seconds(granted.ttl())?,
            })
        })
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        Self::boxed(async move {
            let asked = self.cluster.ask(Ask::READ, |client| async move {
                let (mut keeper, mut answers) = client.lease_client().keep_alive(lease.0).await?;
                // etcd-client keeps the first answer to itself, so it takes a second one.
                keeper.keep_alive().await?;
                answers.message().await
            });
            match asked.await {
                Ok(Some(answer)) if answer.ttl() > 0 => response::seconds(answer.ttl()),
                Ok(Some(_)) | Err(Cause::LeaseNotFound) => Err(StoreError::LeaseNotFound { lease }),
                Ok(None) => Err(StoreError::unavailable(
                    "the answer to a renewal was cut off",
                )),
                Err(cause) => Err(cause.into_store()),
            }
        })
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        Self::boxed(async move {
            // Not asked again: the second answer would be that there is no such lease.
            let asked = self.cluster.ask(Ask::CHANGE, |client| async move {
                client.lease_client().revoke(lease.0).await
            });
            match asked.await {
                Ok(_revoked) => Ok(()),
                Err(Cause::LeaseNotFound) => Err(StoreError::LeaseNotFound { lease }),
                Err(cause) => Err(cause.into_store()),
            }
        })
    }

    fn abandon(&self, lease: LeaseId) {
        self.farewell.say(&self.cluster, None, lease);
    }

    fn abandon_with(&self, last: Txn, lease: LeaseId) {
        // What could not be asked is left out, as what is not answered.
        let last = check::sense(&last).is_ok().then_some(last);
        let last = last.map(|last| request::txn(&last, &self.namespace));
        self.farewell.say(&self.cluster, last, lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        Self::boxed(async move {
            let asked = self.cluster.ask(Ask::READ, |client| async move {
                let keys = etcd_client::LeaseTimeToLiveOptions::new().with_keys();
                client
                    .lease_client()
                    .time_to_live(lease.0, Some(keys))
                    .await
            });
            match asked.await {
                Ok(status) if status.ttl() >= 0 && status.granted_ttl() > 0 => {
                    response::lease_status(status.0, &self.namespace)
                }
                Ok(_) | Err(Cause::LeaseNotFound) => Err(StoreError::LeaseNotFound { lease }),
                Err(cause) => Err(cause.into_store()),
            }
        })
    }

    fn generation(&self) -> u64 {
        self.cluster.generations().since().generation()
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        if watch.keys.is_empty() {
            let keys = format!("{:?}", watch.keys);
            let error = StoreError::invalid("keys", keys, "must not be empty");
            return stream::iter([Err(error.into())]).boxed();
        }
        let cluster = Arc::clone(&self.cluster);
        let watcher = Watcher::new(cluster, self.namespace.clone(), watch);
        let next = |mut watcher: Watcher| async move { Some((watcher.next().await?, watcher)) };
        stream::unfold(watcher, next).boxed()
    }
}
