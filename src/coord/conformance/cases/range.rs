//! Reading keys: now and in the past, some of them, and what was before a write.

use super::{
    super::{expect, probe::put},
    AnyStore,
};
use crate::coord::store::{Delete, Keys, Put, Range, RangeResponse, SortBy, SortOrder, StoreError};

pub(in super::super) async fn the_past_is_read_at_its_revision(store: AnyStore) {
    let old = put(&*store, "p/a", "old").await;
    let new = put(&*store, "p/a", "new").await;
    for (at, value) in [(old, "old"), (new, "new"), (0, "new")] {
        let found = store.range(Range::one("p/a").at(at)).await;
        let found = expect::answered(format_args!("a range at {at}"), found);
        expect::equal(
            format_args!("p/a at revision {at}, and the store's own"),
            (text(&found), found.revision),
            (vec![format!("p/a {value}")], new),
        );
    }
    let answer = store.range(Range::one("p/a").at(new + 1)).await;
    let future = StoreError::FutureRevision {
        requested: new + 1,
        current: new,
    };
    expect::equal("a range at a revision to come", answer, Err(future));
}

pub(in super::super) async fn pages_at_one_revision_are_what_was_there_then(store: AnyStore) {
    let all = ["g/a", "g/b", "g/c", "g/d", "g/e"];
    for key in all {
        put(&*store, key, "1").await;
    }
    let mut next = Range::prefix("g/").limit(2);
    let mut seen = Vec::new();
    loop {
        let page = expect::answered("a page", store.range(next.clone()).await);
        let more = seen.len() + page.kvs.len() < all.len();
        expect::equal("whether there is more after a page", page.more, more);
        if next.revision == 0 {
            next = next.at(page.revision);
            // None of this was there then, and what was there then still was.
            put(&*store, "g/bb", "2").await;
            expect::answered("a delete", store.delete(Delete::one("g/d")).await);
        }
        seen.extend(page.kvs.into_iter().map(|kv| kv.key));
        let Some(last) = seen.last().filter(|_| page.more) else {
            break;
        };
        next.keys = Keys::between([&last[..], b"\0"].concat(), "g0");
    }
    expect::equal(
        "the keys of all pages",
        seen,
        all.map(|key| key.as_bytes()).to_vec(),
    );
    // Of the present, too, and of keys alone.
    let page = store.range(Range::prefix("g/").limit(3).keys_only()).await;
    let page = expect::answered("a page of keys", page);
    let found = (page.kvs.len(), page.more, page.count);
    expect::equal("keys on a page, more of them, and all", found, (3, true, 5));
    let bare = page.kvs.iter().all(|kv| kv.value.is_empty());
    expect::that(bare, "keys alone come without values");
}

pub(in super::super) async fn a_range_is_filtered_sorted_and_cut(store: AnyStore) {
    put(&*store, "o/b", "1").await;
    let second = put(&*store, "o/c", "3").await;
    put(&*store, "o/a", "2").await;
    put(&*store, "o/b", "4").await;
    let all = || Range::prefix("o/");
    let newest = (SortBy::ModRevision, SortOrder::Descending);
    let greatest = (SortBy::Value, SortOrder::Descending);
    let first = (SortBy::CreateRevision, SortOrder::Ascending);
    let wanted: [(Range, &[&str], bool); 7] = [
        (all(), &["o/a 2", "o/b 4", "o/c 3"], false),
        (all().limit(2), &["o/a 2", "o/b 4"], true),
        (all().limit(3).keys_only(), &["o/a ", "o/b ", "o/c "], false),
        (all().sort(newest.0, newest.1).limit(1), &["o/b 4"], true),
        (
            all().sort(greatest.0, greatest.1),
            &["o/b 4", "o/c 3", "o/a 2"],
            false,
        ),
        (all().sort(first.0, first.1).limit(1), &["o/b 4"], true),
        (
            all().max_create_revision(second),
            &["o/b 4", "o/c 3"],
            false,
        ),
    ];
    for (range, kvs, more) in wanted {
        let found = store.range(range.clone()).await;
        let found = expect::answered(format_args!("{range:?}"), found);
        expect::equal(format_args!("keys of {range:?}"), &text(&found)[..], kvs);
        expect::equal(
            format_args!("{range:?}: whether there are more, and their count"),
            (found.more, found.count),
            (more, 3),
        );
    }
}

pub(in super::super) async fn a_write_tells_what_was_before_if_asked(store: AnyStore) {
    for (value, before) in [("1", None), ("2", Some("1"))] {
        let answer = store.put(Put::new("b/a", value).prev_kv()).await;
        let prev = expect::answered("a put", answer).prev;
        let prev = prev.map(|kv| (kv.value, kv.version));
        let before = before.map(|value| (value.into(), 1));
        expect::equal("what a put tells that was before", prev, before);
    }
    let silent = store.put(Put::new("b/a", "3")).await;
    let silent = expect::answered("a put", silent).prev;
    expect::equal("what a put tells that was not asked", silent, None);
    let silent = store.delete(Delete::one("b/none").prev_kv()).await;
    let silent = expect::answered("a delete of nothing", silent);
    expect::equal(
        "what a delete of nothing tells",
        (silent.deleted, silent.prev),
        (0, vec![]),
    );
    let deleted = store.delete(Delete::one("b/a").prev_kv()).await;
    let deleted = expect::answered("a delete", deleted);
    let prev = deleted.prev.iter().map(|kv| (&kv.value[..], kv.version));
    expect::equal(
        "what a delete tells that was before, and how many",
        (prev.collect::<Vec<_>>(), deleted.deleted),
        (vec![(&b"3"[..], 3)], 1),
    );
}

fn text(found: &RangeResponse) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let kvs = found.kvs.iter();
    kvs.map(|kv| format!("{} {}", text(&kv.key), text(&kv.value)))
        .collect()
}
