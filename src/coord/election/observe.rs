//! Seeing who leads.

use super::Leader;
use crate::coord::{
    ask::{Patience, limited},
    queue::Queue,
    store::{Event, EventKind, KeyValue, Keys, Range, StoreError, Watch, WatchStream},
};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;

/// One who looks on.
struct Observer {
    queue: Queue,
    /// All keys of the election, while they are being watched.
    kvs: BTreeMap<Bytes, KeyValue>,
    changes: Option<WatchStream>,
    told: Option<Option<Leader>>,
    patience: Patience,
}

/// The leaders of `queue`; it begins when it is polled.
pub(super) fn observe(queue: Queue) -> impl Stream<Item = Option<Leader>> + Send + 'static {
    let observer = Observer {
        kvs: BTreeMap::new(),
        changes: None,
        told: None,
        patience: Patience::new(&queue.dice),
        queue,
    };
    stream::unfold(observer, async |mut observer| {
        let leader = observer.next().await;
        Some((leader, observer))
    })
}

// === impl Observer ===

impl Observer {
    async fn next(&mut self) -> Option<Leader> {
        loop {
            let heard = match &mut self.changes {
                Some(changes) => match changes.next().await {
                    Some(Ok(batch)) => {
                        self.patience.reset();
                        batch.events.into_iter().for_each(|event| self.apply(event));
                        true
                    }
                    _ => false,
                },
                None => self.read().await.is_ok(),
            };
            if !heard {
                self.changes = None;
                self.patience.wait().await;
                continue;
            }
            let leader = self.leader();
            if self.told.as_ref() != Some(&leader) {
                self.told = Some(leader.clone());
                return leader;
            }
        }
    }

    /// Reads everything anew, and watches from there on.
    async fn read(&mut self) -> Result<(), StoreError> {
        let prefix = self.queue.prefix.clone();
        let asked = self.queue.store.range(Range::prefix(prefix.clone()));
        let found = limited(asked).await?;
        let kvs = found.kvs.into_iter().map(|kv| (kv.key.clone(), kv));
        self.kvs = kvs.collect();
        let watch = Watch::new(Keys::prefix(prefix)).from(found.revision + 1);
        self.changes = Some(self.queue.store.watch(watch));
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event.kind {
            EventKind::Put => self.kvs.insert(event.kv.key.clone(), event.kv),
            EventKind::Delete => self.kvs.remove(&event.kv.key),
        };
    }

    fn leader(&self) -> Option<Leader> {
        self.queue.first(self.kvs.values()).map(Leader::from)
    }
}
