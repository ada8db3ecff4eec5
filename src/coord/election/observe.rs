//! Seeing who leads.

use super::Leader;
use crate::coord::{
    follow::{Follow, News},
    queue::Queue,
    store::{Event, EventKind, KeyValue, Keys},
};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// One who looks on.
struct Observer {
    queue: Queue,
    follow: Follow,
    /// All keys of the election.
    kvs: BTreeMap<Bytes, KeyValue>,
    /// Who led since it was last asked, in this order.
    due: VecDeque<Option<Leader>>,
    last: Option<Option<Leader>>,
}

/// The leaders of `queue`; it begins when it is polled.
pub(super) fn observe(queue: Queue) -> impl Stream<Item = Option<Leader>> + Send + 'static {
    let (store, dice) = (Arc::clone(&queue.store), queue.dice.clone());
    let observer = Observer {
        follow: Follow::new(store, Keys::prefix(queue.prefix.clone()), dice),
        queue,
        kvs: BTreeMap::new(),
        due: VecDeque::new(),
        last: None,
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
            if let Some(leader) = self.due.pop_front() {
                return leader;
            }
            match self.follow.next().await {
                News::All(found) => {
                    let kvs = found.kvs.into_iter().map(|kv| (kv.key.clone(), kv));
                    self.kvs = kvs.collect();
                    self.look();
                }
                News::Changes(batch) => {
                    // Who led for one revision only led as well.
                    let same = |a: &Event, b: &Event| a.kv.mod_revision == b.kv.mod_revision;
                    for revision in batch.events.chunk_by(same) {
                        revision.iter().for_each(|event| self.apply(event));
                        self.look();
                    }
                }
                // What was seen last may still be so.
                News::Trouble(_) | News::Back => {}
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        let kv = &event.kv;
        match event.kind {
            EventKind::Put => self.kvs.insert(kv.key.clone(), kv.clone()),
            EventKind::Delete => self.kvs.remove(&kv.key),
        };
    }

    fn look(&mut self) {
        let leader = self.queue.first(self.kvs.values()).map(Leader::from);
        if self.last.as_ref() != Some(&leader) {
            self.last = Some(leader.clone());
            self.due.push_back(leader);
        }
    }
}
