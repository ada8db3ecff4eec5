//! Leases: they end, they are kept, and their keys go with them.

use super::{
    super::{
        expect,
        probe::{count, next, put, revision, silent},
    },
    AnyStore, TTL,
};
use crate::coord::store::{
    EventKind, Keys, Lease, LeaseId, Put, Range, Store, StoreError, Txn, Watch,
};
use tokio::time;

async fn grant(store: &dyn Store) -> Lease {
    expect::answered("a grant", store.grant(TTL).await)
}

async fn attach(store: &dyn Store, key: &'static str, lease: LeaseId) -> i64 {
    let put = store.put(Put::new(key, "").lease(lease)).await;
    expect::answered("a put with a lease", put).revision
}

pub(in super::super) async fn a_lease_that_runs_out_wakes_a_watch(store: AnyStore) {
    // A longer one first, so that the watch has to wake earlier than it thought.
    let long = expect::answered("a grant", store.grant(10 * TTL).await);
    let from = put(&*store, "l/seen", "").await + 1;
    let mut watch = store.watch(Watch::new(Keys::prefix("l/")).from(from));
    silent(&mut watch, "before anything happens");
    let lease = grant(&*store).await;
    for key in ["l/a", "l/b"] {
        let attached = attach(&*store, key, lease.id).await;
        let heard = next(&mut watch).await.revision;
        expect::equal("the revision heard of", heard, attached);
    }
    // Nobody touches the store any more.
    let batch = time::timeout(lease.ttl * 2, next(&mut watch)).await;
    let batch = expect::answered("the end of a lease within twice its time", batch);
    let deleted = batch.events.iter();
    let deleted = deleted.filter(|event| event.kind == EventKind::Delete);
    expect::equal(
        "the revision of the end, and the keys deleted",
        (batch.revision, deleted.count()),
        (from + 2, 2),
    );
    let gone = StoreError::LeaseNotFound { lease: lease.id };
    let kept = store.keep_alive(lease.id).await;
    expect::equal("a renewal of a lease that ran out", kept, Err(gone));
    expect::answered("a revocation", store.revoke(long.id).await);
}

pub(in super::super) async fn a_lease_kept_alive_stays(store: AnyStore) {
    let lease = grant(&*store).await;
    attach(&*store, "s/a", lease.id).await;
    for _ in 0..5 {
        time::sleep(lease.ttl * 2 / 3).await;
        let kept = store.keep_alive(lease.id).await;
        expect::equal("a renewal", kept, Ok(lease.ttl));
    }
    let status = store.time_to_live(lease.id).await;
    let status = expect::answered("the status of a lease", status);
    expect::equal(
        "the time granted, and the keys",
        (status.granted, &status.keys[..]),
        (lease.ttl, &["s/a".into()][..]),
    );
    let left = status.remaining;
    expect::that(
        left <= lease.ttl && left > lease.ttl / 2,
        format_args!(
            "most of {:?} is left after a renewal, not {left:?}",
            lease.ttl
        ),
    );
    time::sleep(lease.ttl * 2).await;
    let left = count(&*store, "s/a").await;
    expect::equal("keys of a lease that is not kept", left, 0);
}

pub(in super::super) async fn a_lease_revoked_takes_its_keys_at_one_revision(store: AnyStore) {
    let lease = grant(&*store).await;
    for key in ["r/a", "r/b", "r/c"] {
        attach(&*store, key, lease.id).await;
    }
    // One key is taken away from the lease.
    let start = put(&*store, "r/b", "").await;
    expect::answered("a revocation", store.revoke(lease.id).await);
    let left = expect::answered("a range", store.range(Range::prefix("r/")).await);
    let keys: Vec<_> = left.kvs.iter().map(|kv| &kv.key[..]).collect();
    expect::equal(
        "the keys that a revocation leaves, and its revision",
        (keys, left.revision),
        (vec![&b"r/b"[..]], start + 1),
    );
    let empty = grant(&*store).await;
    expect::answered("a revocation", store.revoke(empty.id).await);
    let end = revision(&*store).await;
    expect::equal("the revision after a lease without keys", end, start + 1);
}

pub(in super::super) async fn a_lease_that_is_abandoned_takes_its_keys(store: AnyStore) {
    let lease = grant(&*store).await;
    attach(&*store, "d/a", lease.id).await;
    store.abandon(lease.id);
    time::sleep(lease.ttl * 2).await;
    let left = count(&*store, "d/a").await;
    expect::equal("keys of a lease that was abandoned", left, 0);
}

pub(in super::super) async fn a_lease_ends_after_its_last_word_if_there_is_any(store: AnyStore) {
    let from = revision(&*store).await + 1;
    let lease = grant(&*store).await.id;
    let put = |value: &'static str| Put::new("f/a", value).lease(lease);
    expect::answered("a put with a lease", store.put(put("here")).await);
    // Not all stores have the time for it; then it ends without a word.
    store.abandon_with(Txn::new().then([put("bye")]), lease);
    let mut watch = store.watch(Watch::new(Keys::one("f/a")).from(from));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last: &String| last != "-") {
        let events = next(&mut watch).await.events.into_iter();
        seen.extend(events.map(|event| match event.kind {
            EventKind::Put => format!("+{}", event.kv.value.escape_ascii()),
            EventKind::Delete => "-".to_owned(),
        }));
    }
    expect::that(
        seen == ["+here", "+bye", "-"] || seen == ["+here", "-"],
        format_args!("a lease ends with its last word or without, and not with {seen:?}"),
    );
    let gone = store.time_to_live(lease).await;
    let expected = Err(StoreError::LeaseNotFound { lease });
    expect::equal("the status of an abandoned lease", gone, expected);
}

pub(in super::super) async fn a_lease_that_is_gone_is_named(store: AnyStore) {
    let lease = grant(&*store).await.id;
    expect::answered("a revocation", store.revoke(lease).await);
    let start = revision(&*store).await;
    let gone = StoreError::LeaseNotFound { lease };
    let revoked = store.revoke(lease).await;
    expect::equal("a second revocation", revoked, Err(gone.clone()));
    let kept = store.keep_alive(lease).await;
    expect::equal("a renewal of nothing", kept, Err(gone.clone()));
    let status = store.time_to_live(lease).await;
    expect::equal("the status of nothing", status, Err(gone.clone()));
    let put = store.put(Put::new("x/a", "").lease(lease)).await;
    expect::equal("a put with a lease that is gone", put, Err(gone));
    let end = revision(&*store).await;
    expect::equal("the revision after refusals", end, start);
}
