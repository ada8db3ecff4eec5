//! What every store must do, written against the trait alone.
//!
//! Revisions are relative to where the store was, and leases last whole seconds, so that a store
//! that is not ours, and in use, passes as well.

use super::support::{collect, next, put, revision};
use futures_util::{FutureExt, StreamExt, future::join_all};
use std::{sync::Arc, time::Duration};
use ziggurat::coord::{
    Compare, Delete, EventKind, Keys, LeaseId, Op, OpResponse, Put, Range, Store, StoreError, Txn,
    Watch, WatchError,
};

type AnyStore = Arc<dyn Store>;

const TTL: Duration = Duration::from_secs(5);

pub(super) async fn a_transaction_takes_one_branch_at_one_revision(store: AnyStore) {
    let start = revision(&*store).await;
    let txn = || {
        let then = Txn::new().when([Compare::absent("t/a")]);
        let then = then.then([Put::new("t/a", "1"), Put::new("t/b", "1")]);
        then.otherwise([Op::from(Range::one("t/a")), Delete::one("t/b").into()])
    };
    let first = store.txn(txn()).await.unwrap();
    assert_eq!((first.succeeded, first.revision), (true, start + 1));
    let second = store.txn(txn()).await.unwrap();
    assert_eq!((second.succeeded, second.revision), (false, start + 2));
    let [OpResponse::Range(found), OpResponse::Delete(deleted)] = &second.responses[..] else {
        panic!("{second:?}");
    };
    assert_eq!(
        (found.kvs[0].create_revision, deleted.deleted),
        (start + 1, 1)
    );
    assert_eq!(revision(&*store).await, start + 2);
}

pub(super) async fn only_one_of_many_creates_a_key(store: AnyStore) {
    let create = |n: usize| {
        let txn = Txn::new().when([Compare::absent("c/a")]);
        store.txn(txn.then([Put::new("c/a", n.to_string())]))
    };
    let created = join_all((0..50).map(create)).await;
    let winners = created
        .iter()
        .filter(|done| done.as_ref().unwrap().succeeded);
    assert_eq!(winners.count(), 1);
}

pub(super) async fn the_past_is_read_at_its_revision(store: AnyStore) {
    let old = put(&*store, "p/a", "old").await;
    let new = put(&*store, "p/a", "new").await;
    let at = async |revision| {
        let found = store.range(Range::one("p/a").at(revision)).await;
        found.map(|found| (found.kvs[0].value.clone(), found.revision))
    };
    assert_eq!(at(old).await, Ok(("old".into(), new)));
    assert_eq!(at(0).await, Ok(("new".into(), new)));
    let future = StoreError::FutureRevision {
        requested: new + 1,
        current: new,
    };
    assert_eq!(at(new + 1).await, Err(future));
}

pub(super) async fn a_watch_from_the_past_delivers_everything_once(store: AnyStore) {
    let first = put(&*store, "w/a", "1").await;
    put(&*store, "w/b", "1").await;
    let txn = [Op::from(Put::new("w/a", "2")), Delete::one("w/b").into()];
    store.txn(Txn::new().then(txn)).await.unwrap();
    let mut watches = [0; 3].map(|_| store.watch(Watch::new(Keys::prefix("w/")).from(first)));
    put(&*store, "w/c", "1").await;
    for watch in &mut watches {
        let seen = collect(watch, first + 3).await;
        let expected = ["+w/a 1", "+w/b 1", "+w/a 2", "-w/b ", "+w/c 1"];
        assert_eq!(seen, expected);
        assert!(watch.next().now_or_never().is_none());
    }
}

pub(super) async fn a_watch_from_now_delivers_what_comes(store: AnyStore) {
    put(&*store, "n/a", "old").await;
    let mut watch = store.watch(Watch::new(Keys::prefix("n/")));
    assert!(watch.next().now_or_never().is_none());
    // When a store that is elsewhere hears of the watch is its "now"; from then on nothing is missed.
    let (mut last, mut begun) = (0, None);
    while begun.is_none() {
        last += 1;
        put(&*store, "n/a", &last.to_string()).await;
        let soon = tokio::time::timeout(Duration::from_millis(50), watch.next());
        begun = soon.await.ok();
    }
    let begun = begun.unwrap().unwrap().unwrap();
    let value = std::str::from_utf8(&begun.events[0].kv.value).unwrap();
    let first: u32 = value.parse().unwrap();
    let end = put(&*store, "n/a", "end").await;
    let seen = begun.events.len() + collect(&mut watch, end).await.len();
    assert_eq!(seen as u32, last - first + 2);
}

pub(super) async fn a_watch_waits_for_a_revision_to_come(store: AnyStore) {
    let start = revision(&*store).await;
    let mut watch = store.watch(Watch::new(Keys::prefix("f/")).from(start + 3));
    for n in ["1", "2", "3", "4"] {
        put(&*store, "f/a", n).await;
    }
    assert_eq!(collect(&mut watch, start + 4).await, ["+f/a 3", "+f/a 4"]);
}

pub(super) async fn a_watch_goes_on_where_another_one_ended(store: AnyStore) {
    let mut from = revision(&*store).await + 1;
    let mut seen = Vec::new();
    for n in 0..20 {
        put(&*store, "g/a", &n.to_string()).await;
        put(&*store, "other", "").await;
        let mut watch = store.watch(Watch::new(Keys::prefix("g/")).from(from));
        let batch = next(&mut watch).await;
        seen.extend(batch.events.into_iter().map(|event| event.kv.value));
        from = batch.revision + 1;
    }
    let all: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(seen, all);
}

pub(super) async fn a_watch_sees_only_its_keys(store: AnyStore) {
    let from = revision(&*store).await + 1;
    for key in ["k/", "k/a", "k0", "k", "k/b"] {
        put(&*store, key, "").await;
    }
    let last = put(&*store, "k/b", "end").await;
    let mut prefix = store.watch(Watch::new(Keys::prefix("k/")).from(from));
    let expected = ["+k/ ", "+k/a ", "+k/b ", "+k/b end"];
    assert_eq!(collect(&mut prefix, last).await, expected);
    let mut one = store.watch(Watch::new(Keys::one("k/b")).from(from));
    assert_eq!(collect(&mut one, last).await, ["+k/b ", "+k/b end"]);
    let mut some = store.watch(Watch::new(Keys::between("k/a", "k/bb")).from(from));
    assert_eq!(collect(&mut some, last).await, expected[1..]);
}

pub(super) async fn events_hold_what_was_before_if_asked(store: AnyStore) {
    let from = put(&*store, "e/a", "1").await;
    put(&*store, "e/a", "2").await;
    let deleted = store.delete(Delete::one("e/a").prev_kv()).await.unwrap();
    assert_eq!(
        (deleted.deleted, &deleted.prev[0].value[..]),
        (1, &b"2"[..])
    );
    for asked in [false, true] {
        let watch = Watch::new(Keys::one("e/a")).from(from);
        let mut watch = store.watch(if asked { watch.prev_kv() } else { watch });
        let mut events = Vec::new();
        while events.len() < 3 {
            events.extend(next(&mut watch).await.events);
        }
        let before = |at: usize| events[at].prev.as_ref().map(|prev| prev.value.to_vec());
        let expected = |value: &str| asked.then(|| value.as_bytes().to_vec());
        assert_eq!(
            [before(0), before(1), before(2)],
            [None, expected("1"), expected("2")]
        );
        assert_eq!(
            (events[2].kind, events[2].kv.version),
            (EventKind::Delete, 0)
        );
        assert_eq!(events[2].kv.mod_revision, deleted.revision);
    }
}

pub(super) async fn a_lease_that_runs_out_wakes_a_watch(store: AnyStore) {
    // A longer one first, so that the watch has to wake earlier than it thought.
    let long = store.grant(10 * TTL).await.unwrap();
    let from = put(&*store, "l/seen", "").await + 1;
    let mut watch = store.watch(Watch::new(Keys::prefix("l/")).from(from));
    assert!(watch.next().now_or_never().is_none());
    let lease = store.grant(TTL).await.unwrap();
    for key in ["l/a", "l/b"] {
        let attached = store.put(Put::new(key, "").lease(lease.id)).await.unwrap();
        assert_eq!(next(&mut watch).await.revision, attached.revision);
    }
    // Nobody touches the store any more.
    let last = from + 2;
    let batch = tokio::time::timeout(lease.ttl * 2, next(&mut watch))
        .await
        .unwrap();
    assert_eq!(batch.revision, last);
    let deleted = batch
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Delete);
    assert_eq!(deleted.count(), 2);
    let gone = StoreError::LeaseNotFound { lease: lease.id };
    assert_eq!(store.keep_alive(lease.id).await, Err(gone));
    store.revoke(long.id).await.unwrap();
}

pub(super) async fn a_lease_kept_alive_stays(store: AnyStore) {
    let lease = store.grant(TTL).await.unwrap();
    store
        .put(Put::new("s/a", "").lease(lease.id))
        .await
        .unwrap();
    for _ in 0..5 {
        tokio::time::sleep(lease.ttl * 2 / 3).await;
        assert_eq!(store.keep_alive(lease.id).await, Ok(lease.ttl));
    }
    let status = store.time_to_live(lease.id).await.unwrap();
    assert_eq!(
        (status.granted, &status.keys[..]),
        (lease.ttl, &["s/a".into()][..])
    );
    assert!(status.remaining <= lease.ttl && status.remaining > lease.ttl / 2);
    tokio::time::sleep(lease.ttl * 2).await;
    assert_eq!(store.range(Range::one("s/a")).await.unwrap().count, 0);
}

pub(super) async fn a_lease_revoked_takes_its_keys_at_one_revision(store: AnyStore) {
    let lease = store.grant(TTL).await.unwrap();
    for key in ["r/a", "r/b", "r/c"] {
        store.put(Put::new(key, "").lease(lease.id)).await.unwrap();
    }
    // One key is taken away from the lease.
    let start = put(&*store, "r/b", "").await;
    store.revoke(lease.id).await.unwrap();
    let left = store.range(Range::prefix("r/")).await.unwrap();
    assert_eq!(
        (left.kvs.len(), &left.kvs[0].key[..], left.revision),
        (1, &b"r/b"[..], start + 1)
    );
    let empty = store.grant(TTL).await.unwrap();
    store.revoke(empty.id).await.unwrap();
    assert_eq!(revision(&*store).await, start + 1);
    let last = store.grant(TTL).await.unwrap();
    store.put(Put::new("r/d", "").lease(last.id)).await.unwrap();
    store.abandon(last.id);
    tokio::time::sleep(last.ttl * 2).await;
    assert_eq!(store.range(Range::one("r/d")).await.unwrap().count, 0);
}

pub(super) async fn a_lease_that_is_gone_is_named(store: AnyStore) {
    let lease = store.grant(TTL).await.unwrap().id;
    store.revoke(lease).await.unwrap();
    let start = revision(&*store).await;
    let gone = StoreError::LeaseNotFound { lease };
    assert_eq!(store.revoke(lease).await, Err(gone.clone()));
    assert_eq!(store.keep_alive(lease).await, Err(gone.clone()));
    assert_eq!(store.time_to_live(lease).await, Err(gone.clone()));
    let put = Put::new("x/a", "").lease(lease);
    assert_eq!(store.put(put).await, Err(gone));
    assert_eq!(revision(&*store).await, start);
    assert_eq!(LeaseId::NONE, LeaseId::default());
}

pub(super) async fn a_lease_that_is_abandoned_ends_after_its_last_word_if_there_is_any(
    store: AnyStore,
) {
    let from = revision(&*store).await + 1;
    let lease = store.grant(TTL).await.unwrap().id;
    let put = |value: &'static str| Put::new("f/a", value).lease(lease);
    store.put(put("here")).await.unwrap();
    // Not all stores have the time for it; then it ends without a word.
    store.abandon_with(Txn::new().then([put("bye")]), lease);
    let mut watch = store.watch(Watch::new(Keys::one("f/a")).from(from));
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|last: &String| !last.starts_with('-'))
    {
        let events = next(&mut watch).await.events.into_iter();
        seen.extend(events.map(|event| match event.kind {
            EventKind::Put => format!("+{}", event.kv.value.escape_ascii()),
            EventKind::Delete => "-".to_owned(),
        }));
    }
    assert!(
        seen == ["+here", "+bye", "-"] || seen == ["+here", "-"],
        "{seen:?}"
    );
    let gone = store.time_to_live(lease).await;
    assert_eq!(gone, Err(StoreError::LeaseNotFound { lease }));
}

pub(super) async fn pages_at_one_revision_are_what_was_there_then(store: AnyStore) {
    for key in ["g/a", "g/b", "g/c", "g/d", "g/e"] {
        put(&*store, key, "1").await;
    }
    let mut next = Range::prefix("g/").limit(2);
    let mut seen = Vec::new();
    loop {
        let page = store.range(next.clone()).await.unwrap();
        assert_eq!(page.more, seen.len() + page.kvs.len() < 5);
        if next.revision == 0 {
            next = next.at(page.revision);
            // None of this was there then, and what was there then still was.
            put(&*store, "g/bb", "2").await;
            store.delete(Delete::one("g/d")).await.unwrap();
        }
        seen.extend(page.kvs.into_iter().map(|kv| kv.key));
        if !page.more {
            break;
        }
        let after = [&seen[seen.len() - 1][..], b"\0"].concat();
        next.keys = Keys::between(after, "g0");
    }
    assert_eq!(seen, ["g/a", "g/b", "g/c", "g/d", "g/e"]);
    // Of the present, too, and of keys alone.
    let page = store
        .range(Range::prefix("g/").limit(3).keys_only())
        .await
        .unwrap();
    assert_eq!((page.kvs.len(), page.more, page.count), (3, true, 5));
    assert!(page.kvs.iter().all(|kv| kv.value.is_empty()));
}

pub(super) async fn what_makes_no_sense_is_refused(store: AnyStore) {
    let start = revision(&*store).await;
    let invalid = |error| matches!(error, StoreError::InvalidArgument { field: "key", .. });
    assert!(invalid(store.put(Put::new("", "")).await.unwrap_err()));
    assert!(invalid(store.range(Range::one("")).await.unwrap_err()));
    assert!(invalid(store.delete(Delete::one("")).await.unwrap_err()));
    let twice = Txn::new().then([Put::new("y/a", ""), Put::new("y/a", "")]);
    assert!(invalid(store.txn(twice).await.unwrap_err()));
    assert!(store.grant(Duration::ZERO).await.is_err());
    let mut watch = store.watch(Watch::new(Keys::between("b", "a")));
    let Some(Err(WatchError::Broken(StoreError::InvalidArgument { .. }))) = watch.next().await
    else {
        panic!("an empty watch was taken");
    };
    assert!(watch.next().await.is_none());
    assert_eq!(revision(&*store).await, start);
}

pub(super) async fn an_answer_not_awaited_does_nothing(store: AnyStore) {
    let start = revision(&*store).await;
    drop(store.put(Put::new("z/a", "")));
    drop(store.grant(TTL));
    assert_eq!(revision(&*store).await, start);
}

/// All of the above, for a macro that makes tests of them.
macro_rules! for_each_case {
    ($make:ident) => {
        $make! {
            a_transaction_takes_one_branch_at_one_revision,
            only_one_of_many_creates_a_key,
            the_past_is_read_at_its_revision,
            a_watch_from_the_past_delivers_everything_once,
            a_watch_from_now_delivers_what_comes,
            a_watch_waits_for_a_revision_to_come,
            a_watch_goes_on_where_another_one_ended,
            a_watch_sees_only_its_keys,
            events_hold_what_was_before_if_asked,
            a_lease_that_runs_out_wakes_a_watch,
            a_lease_kept_alive_stays,
            a_lease_revoked_takes_its_keys_at_one_revision,
            a_lease_that_is_gone_is_named,
            a_lease_that_is_abandoned_ends_after_its_last_word_if_there_is_any,
            pages_at_one_revision_are_what_was_there_then,
            what_makes_no_sense_is_refused,
            an_answer_not_awaited_does_nothing,
        }
    };
}
pub(super) use for_each_case;
