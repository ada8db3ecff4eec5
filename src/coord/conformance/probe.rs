//! How a case asks a store.

use super::expect;
use crate::coord::store::{EventKind, Put, Range, Store, WatchBatch, WatchStream};
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::time;

/// How long a batch may take that must come.
const SOON: Duration = Duration::from_secs(60);

pub(super) async fn revision(store: &dyn Store) -> i64 {
    let found = store.range(Range::one("nothing")).await;
    expect::answered("a range of a key that is not there", found).revision
}

pub(super) async fn put(store: &dyn Store, key: &str, value: &str) -> i64 {
    let put = store.put(Put::new(key.to_owned(), value.to_owned())).await;
    expect::answered(format_args!("a put of {key}"), put).revision
}

pub(super) async fn count(store: &dyn Store, key: &'static str) -> usize {
    let found = store.range(Range::one(key)).await;
    expect::answered(format_args!("a range of {key}"), found).count
}

/// The next batch, which must come.
pub(super) async fn next(watch: &mut WatchStream) -> WatchBatch {
    match time::timeout(SOON, watch.next()).await {
        Ok(Some(batch)) => expect::answered("a watch", batch),
        Ok(None) => panic!("a watch: expected a batch, found its end"),
        Err(_) => panic!("a watch: expected a batch, found nothing for {SOON:?}"),
    }
}

/// That the watch has nothing to say at this moment.
pub(super) fn silent(watch: &mut WatchStream, when: &str) {
    if let Some(batch) = watch.next().now_or_never() {
        panic!("a watch {when}: expected nothing, found {batch:?}");
    }
}

/// What a watch delivers up to this revision, as text.
pub(super) async fn collect(watch: &mut WatchStream, revision: i64) -> Vec<String> {
    let mut seen = Vec::new();
    let mut reached = 0;
    while reached < revision {
        let batch = next(watch).await;
        for event in batch.events {
            let (at, to) = (event.kv.mod_revision, batch.revision);
            let fits = (reached + 1..=to).contains(&at);
            let what = "after the batch before it, and not after its own";
            expect::that(
                fits,
                format_args!("an event is {what}: {at}, {reached}, {to}"),
            );
            let sign = match event.kind {
                EventKind::Put => '+',
                EventKind::Delete => '-',
            };
            let (key, value) = (event.kv.key.escape_ascii(), event.kv.value.escape_ascii());
            seen.push(format!("{sign}{key} {value}"));
        }
        reached = batch.revision;
    }
    seen
}
