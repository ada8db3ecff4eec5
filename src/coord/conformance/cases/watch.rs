//! Watches: everything once, in order, from where they were asked to begin.

use super::{
    super::{
        expect,
        probe::{collect, next, put, revision, silent},
    },
    AnyStore,
};
use crate::coord::store::{Delete, EventKind, Keys, Op, Put, Txn, Watch};
use futures_util::StreamExt;
use std::time::Duration;

pub(in super::super) async fn a_watch_from_the_past_delivers_everything_once(store: AnyStore) {
    let first = put(&*store, "w/a", "1").await;
    put(&*store, "w/b", "1").await;
    let txn = [Op::from(Put::new("w/a", "2")), Delete::one("w/b").into()];
    expect::answered("a transaction", store.txn(Txn::new().then(txn)).await);
    let mut watches = [0; 3].map(|_| store.watch(Watch::new(Keys::prefix("w/")).from(first)));
    put(&*store, "w/c", "1").await;
    for watch in &mut watches {
        let seen = collect(watch, first + 3).await;
        let expected = ["+w/a 1", "+w/b 1", "+w/a 2", "-w/b ", "+w/c 1"];
        expect::equal("events from the first on", seen, expected);
        silent(watch, "that has delivered everything");
    }
}

pub(in super::super) async fn a_watch_from_now_delivers_what_comes(store: AnyStore) {
    put(&*store, "n/a", "old").await;
    let mut watch = store.watch(Watch::new(Keys::prefix("n/")));
    silent(&mut watch, "from now on");
    // When a store that is elsewhere hears of the watch is its "now"; from then on nothing is missed.
    let (mut last, mut begun) = (0, None);
    while begun.is_none() && last < 1_000 {
        last += 1;
        put(&*store, "n/a", &last.to_string()).await;
        let soon = tokio::time::timeout(Duration::from_millis(50), watch.next());
        begun = soon.await.ok();
    }
    let Some(Some(Ok(begun))) = begun else {
        panic!("a watch from now on: expected the latest puts, found {begun:?}");
    };
    let value = |at: usize| {
        let value = begun.events.get(at).map(|event| &event.kv.value[..]);
        let value = value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        value.unwrap_or_else(|| panic!("expected an event of ours, found {begun:?}"))
    };
    let first: usize = value(0);
    let end = put(&*store, "n/a", "end").await;
    let seen = begun.events.len() + collect(&mut watch, end).await.len();
    expect::equal(
        format_args!("events from put {first} of {last} on, and one at the end"),
        seen,
        last - first + 2,
    );
}

pub(in super::super) async fn a_watch_waits_for_a_revision_to_come(store: AnyStore) {
    let start = revision(&*store).await;
    let mut watch = store.watch(Watch::new(Keys::prefix("f/")).from(start + 3));
    for n in ["1", "2", "3", "4"] {
        put(&*store, "f/a", n).await;
    }
    let seen = collect(&mut watch, start + 4).await;
    expect::equal("events from the third on", seen, ["+f/a 3", "+f/a 4"]);
}

pub(in super::super) async fn a_watch_goes_on_where_another_one_ended(store: AnyStore) {
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
    expect::equal("values seen by one watch after the other", seen, all);
}

pub(in super::super) async fn a_watch_sees_only_its_keys(store: AnyStore) {
    let from = revision(&*store).await + 1;
    for key in ["k/", "k/a", "k0", "k", "k/b"] {
        put(&*store, key, "").await;
    }
    let last = put(&*store, "k/b", "end").await;
    let inside = ["+k/ ", "+k/a ", "+k/b ", "+k/b end"];
    let wanted: [(Keys, &[&str]); 3] = [
        (Keys::prefix("k/"), &inside),
        (Keys::one("k/b"), &inside[2..]),
        (Keys::between("k/a", "k/bb"), &inside[1..]),
    ];
    for (keys, expected) in wanted {
        let mut watch = store.watch(Watch::new(keys.clone()).from(from));
        let seen = collect(&mut watch, last).await;
        expect::equal(format_args!("events of {keys:?}"), &seen[..], expected);
    }
}

pub(in super::super) async fn events_hold_what_was_before_if_asked(store: AnyStore) {
    let from = put(&*store, "e/a", "1").await;
    put(&*store, "e/a", "2").await;
    let deleted = expect::answered("a delete", store.delete(Delete::one("e/a")).await);
    for asked in [false, true] {
        let watch = Watch::new(Keys::one("e/a")).from(from);
        let mut watch = store.watch(if asked { watch.prev_kv() } else { watch });
        let mut events = Vec::new();
        while events.len() < 3 {
            events.extend(next(&mut watch).await.events);
        }
        let before = events.iter();
        let before = before.map(|event| event.prev.as_ref().map(|kv| kv.value.to_vec()));
        let expected = |value: &str| asked.then(|| value.as_bytes().to_vec());
        expect::equal(
            format_args!("values before three events, asked for: {asked}"),
            before.collect::<Vec<_>>(),
            [None, expected("1"), expected("2")],
        );
        let last = &events[2];
        expect::equal(
            "kind, version and revision of the event of a delete",
            (last.kind, last.kv.version, last.kv.mod_revision),
            (EventKind::Delete, 0, deleted.revision),
        );
    }
}
