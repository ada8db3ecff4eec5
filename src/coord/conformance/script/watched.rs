//! One watch of a script, and what it has delivered so far.

use super::super::{
    expect,
    model::Model,
    probe::{self, silent},
};
use crate::coord::store::{Event, Keys, Store, Watch, WatchBatch, WatchStream};
use futures_util::{FutureExt, StreamExt};

/// A watch, and what it must deliver.
pub(super) struct Watched {
    keys: Keys,
    /// The first revision that it delivers.
    from: i64,
    prev_kv: bool,
    batches: WatchStream,
    /// The revision of the last batch.
    reached: i64,
    seen: Vec<Event>,
}

// === impl Watched ===

impl Watched {
    /// Watches from this revision on, or, if it is 0, from the `next` one on.
    pub(super) fn new(store: &dyn Store, keys: Keys, from: i64, next: i64, prev_kv: bool) -> Self {
        let watch = Watch::new(keys.clone()).from(from);
        let batches = store.watch(if prev_kv { watch.prev_kv() } else { watch });
        Self {
            keys,
            from: if from == 0 { next } else { from },
            prev_kv,
            batches,
            reached: 0,
            seen: Vec::new(),
        }
    }

    pub(super) const fn from(&self) -> i64 {
        self.from
    }

    /// Takes what there is.
    pub(super) fn take(&mut self) {
        while let Some(batch) = self.batches.next().now_or_never() {
            let Some(batch) = batch else {
                panic!("{self:?}: expected a batch, found the end");
            };
            let batch = expect::answered(format_args!("{self:?}"), batch);
            self.hear(batch);
        }
    }

    /// Takes all that must come, and checks that it is what the model says.
    pub(super) async fn finish(&mut self, model: &Model) {
        while self.reached < model.revision() {
            let batch = probe::next(&mut self.batches).await;
            self.hear(batch);
        }
        silent(&mut self.batches, "that has delivered everything");
        let at = |event: &Event| (event.kv.mod_revision, event.kv.key.clone());
        self.seen.sort_by_key(at);
        let mut expected = model.events(&self.keys, self.from);
        if !self.prev_kv {
            expected.iter_mut().for_each(|event| event.prev = None);
        }
        expect::equal(format_args!("{self:?}"), &self.seen, &expected);
    }

    fn hear(&mut self, batch: WatchBatch) {
        for event in &batch.events {
            let at = event.kv.mod_revision;
            expect::that(
                (self.reached + 1..=batch.revision).contains(&at),
                format_args!("{self:?} is in order, and not {batch:?}"),
            );
        }
        self.reached = batch.revision;
        self.seen.extend(batch.events);
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("keys", &self.keys)
            .field("from", &self.from)
            .field("prev_kv", &self.prev_kv)
            .field("reached", &self.reached)
            .finish_non_exhaustive()
    }
}
