//! A watch that outlives its connection.
//!
//! ```text
//!   open, from the next revision --> deliver --- silent, broken, no leader ---+
//!     ^    |                            |                                     |
//!     |    +-- no member opens it       +-- compacted                         |
//!     |          v                             v                              |
//!     |        Broken                      Compacted                          |
//!     +------------------- leave the member, for another one -----------------+
//! ```
//!
//! A break is not seen above as long as some member opens the watch again; when none does, the
//! watch ends, and whoever wants it decides when to ask again.

use super::{
    cluster::{Ask, Cluster},
    fault::{Cause, Fault},
    namespace::Namespace,
    request, response,
};
use crate::coord::store::{Event, StoreError, Watch, WatchBatch, WatchError};
use etcd_client::{Client, WatchStream, proto::PbWatchResponse};
use std::sync::Arc;
use tokio::time;
use ziggurat_core::Code;

/// Where a watch stands, and the stream that it comes by.
#[derive(Debug)]
pub(super) struct Watcher {
    cluster: Arc<Cluster>,
    namespace: Namespace,
    watch: Watch,
    /// The next revision that was not delivered; 0 before it is known where to begin.
    next: i64,
    /// The generation of the cluster that it belongs to.
    generation: u64,
    open: Option<Open>,
    /// How often it was opened since something was heard on it.
    fruitless: u32,
    /// Whether that is what was tried last.
    signed_in_anew: bool,
    ended: bool,
}

/// A stream from a member.
#[derive(Debug)]
struct Open {
    stream: WatchStream,
    ticket: super::rotation::Ticket,
    /// Whether the member was asked for a sign of life that has not come yet.
    asked: bool,
}

/// A member that opens a watch and ends it at once, again and again, must not keep us busy.
const MAX_FRUITLESS: u32 = 3;
/// As Go's client: an answer is as large as the server makes it.
pub(super) const MAX_MESSAGE: usize = i32::MAX as usize;

// === impl Watcher ===

impl Watcher {
    /// A watch whose keys and revision were checked; it begins when it is polled.
    pub(super) fn new(cluster: Arc<Cluster>, namespace: Namespace, watch: Watch) -> Self {
        let next = watch.from;
        let generation = cluster.generations().since().generation();
        Self {
            cluster,
            namespace,
            watch,
            next,
            generation,
            open: None,
            fruitless: 0,
            signed_in_anew: false,
            ended: false,
        }
    }

    /// The next batch, once there is one.
    pub(super) async fn next(&mut self) -> Option<Result<WatchBatch, WatchError>> {
        while !self.ended {
            let step = self.step().await;
            if step.is_err() {
                self.ended = true;
                self.open = None;
            }
            if let Some(outcome) = step.transpose() {
                return Some(outcome);
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Option<WatchBatch>, WatchError> {
        if self.next <= 0 {
            // Not where the member stands, which may be behind.
            self.next = revision(&self.cluster, &self.namespace).await? + 1;
            self.check_generation()?;
        }
        let Some(open) = &mut self.open else {
            let created = self.open().await?;
            return self.hear(created);
        };
        let settings = self.cluster.settings();
        let patience = if open.asked {
            settings.try_timeout
        } else {
            settings.silence
        };
        let fault = match time::timeout(patience, open.stream.message()).await {
            Ok(Ok(Some(message))) => {
                open.asked = false;
                return self.hear(message.0);
            }
            Ok(Ok(None)) => Fault::broken("the watch was ended"),
            Ok(Err(error)) => Fault::new(&error),
            Err(_) if open.asked => Fault::broken("the watch was silent"),
            Err(_) => match open.stream.request_progress().await {
                Ok(()) => {
                    open.asked = true;
                    return Ok(None);
                }
                Err(error) => Fault::new(&error),
            },
        };
        self.leave(&fault);
        Ok(None)
    }

    /// Opens the watch at the next revision, with whoever will.
    async fn open(&mut self) -> Result<PbWatchResponse, WatchError> {
        if self.fruitless >= MAX_FRUITLESS {
            let reason = "every watch was ended as soon as it was opened";
            return Err(StoreError::unavailable(reason).into());
        }
        let since = self.cluster.generations().since();
        let opened = self.cluster.ask_whom(Ask::READ, |client| {
            let (key, options) = request::watch(&self.watch, self.first(), &self.namespace);
            create(client, key, options)
        });
        let (ticket, (stream, created)) = opened.await.map_err(Cause::into_store)?;
        self.fruitless += 1;
        if response::revision(created.header.as_ref())? < since.revision() {
            // The member may only be behind the others. A cluster that was restored from a backup
            // would be watched in vain.
            revision(&self.cluster, &self.namespace).await?;
        }
        self.open = Some(Open {
            stream,
            ticket,
            asked: false,
        });
        Ok(created)
    }

    /// The revision to open it at: one that was delivered already, and is not again.
    ///
    /// What was deleted at the very revision of a compaction is missing from a watch that is opened
    /// there, without a word (etcd#18089, in 3.4 and 3.5). One earlier, it is compacted.
    fn first(&self) -> i64 {
        // 0 would be now.
        (self.next - 1).max(1)
    }

    fn check_generation(&self) -> Result<(), WatchError> {
        if self.cluster.generations().since().generation() == self.generation {
            Ok(())
        } else {
            Err(WatchError::Replaced)
        }
    }

    fn hear(&mut self, message: PbWatchResponse) -> Result<Option<WatchBatch>, WatchError> {
        self.cluster.generations().hear(message.header.as_ref());
        self.check_generation()?;
        if message.compact_revision > 0 {
            let at = message.compact_revision;
            return Err(WatchError::Compacted { at });
        }
        if message.canceled {
            return self.cancelled(&message.cancel_reason).map(|()| None);
        }
        if message.created {
            return Ok(None);
        }
        self.fruitless = 0;
        self.signed_in_anew = false;
        if message.events.is_empty() {
            return self.progress(&message);
        }
        self.deliver(message)
    }

    fn deliver(&mut self, message: PbWatchResponse) -> Result<Option<WatchBatch>, WatchError> {
        let next = self.next;
        let events = message.events.into_iter();
        let events = events.map(|event| response::event(event, &self.namespace));
        let not_yet =
            |event: &Result<Event, _>| !matches!(event, Ok(event) if event.kv.mod_revision < next);
        let events: Vec<_> = events.filter(not_yet).collect::<Result<_, _>>()?;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        // Not the header's, which may be ahead of what has been sent.
        let revision = last.kv.mod_revision;
        self.next = revision + 1;
        Ok(Some(WatchBatch { revision, events }))
    }

    /// A word without events: of the watch itself, or of the whole connection.
    fn progress(&mut self, message: &PbWatchResponse) -> Result<Option<WatchBatch>, WatchError> {
        // The one that we asked for names no watch, and before etcd 3.5.8 it may overtake events
        // (etcd#15220): it is a sign of life and nothing else.
        if message.watch_id < 0 {
            return Ok(None);
        }
        let revision = response::revision(message.header.as_ref())?;
        if revision < self.next {
            return Ok(None);
        }
        self.next = revision + 1;
        let events = Vec::new();
        Ok(self
            .watch
            .progress
            .then_some(WatchBatch { revision, events }))
    }

    /// The member does not serve the watch: because of its own trouble, or because of us.
    fn cancelled(&mut self, reason: &str) -> Result<(), WatchError> {
        // An unknown token, too, is answered by this before etcd 3.5.5.
        let denied = reason.ends_with("permission denied");
        let code = if denied {
            Code::PermissionDenied
        } else {
            Code::Unavailable
        };
        let fault = Fault::answer(code, reason);
        let user = self.cluster.settings().user.is_some();
        if (denied || fault.signed_out) && user && !self.signed_in_anew {
            self.signed_in_anew = true;
            if let Some(open) = self.open.take() {
                self.cluster.sign_in_anew(open.ticket);
            }
        } else if fault.blame {
            self.leave(&fault);
        } else {
            return Err(fault.cause.into_store().into());
        }
        Ok(())
    }

    fn leave(&mut self, fault: &Fault) {
        if let Some(open) = self.open.take() {
            self.cluster.failed(open.ticket, fault);
        }
    }
}

/// The store's present revision.
pub(super) async fn revision(cluster: &Cluster, namespace: &Namespace) -> Result<i64, StoreError> {
    let nothing = namespace.key(b"\0");
    let since = cluster.generations().since();
    let asked = cluster.ask(Ask::READ, |client| {
        let key = nothing.clone();
        async move { client.kv_client().get(key, None).await }
    });
    let answer = asked.await.map_err(Cause::into_store)?;
    let header = answer.0.header.as_ref();
    cluster.generations().hear_linearizable(header, since);
    response::revision(header)
}

/// Opens a watch and waits until the member has it.
pub(super) async fn create(
    client: Client,
    key: Vec<u8>,
    options: etcd_client::WatchOptions,
) -> Result<(WatchStream, PbWatchResponse), etcd_client::Error> {
    let client = client.watch_client();
    let mut client = client.max_decoding_message_size(MAX_MESSAGE);
    let mut stream = client.watch(key, Some(options)).await?;
    match stream.message().await? {
        Some(created) => Ok((stream, created.0)),
        None => Err(etcd_client::Error::WatchError("not created".to_owned())),
    }
}
