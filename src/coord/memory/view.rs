//! Looking at a part of a map of keys.

use crate::coord::store::{KeyValue, Keys, Range, RangeResponse, SortBy, SortOrder};
use bytes::Bytes;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
};

/// The stored keys that are among the asked ones, sorted.
#[derive(Debug)]
pub(super) struct View<'a>(Option<btree_map::Range<'a, Bytes, KeyValue>>);

// === impl View ===

impl<'a> View<'a> {
    pub(super) fn new(stored: &'a BTreeMap<Bytes, KeyValue>, asked: &Keys) -> Self {
        Self(asked.bounds().map(|bounds| stored.range::<[u8], _>(bounds)))
    }
}

impl<'a> Iterator for View<'a> {
    type Item = &'a KeyValue;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next().map(|(_, kv)| kv)
    }
}

/// The first keys of a view that is sorted already; nothing if more is asked for than a limit.
///
/// It copies no more than it answers, so that all pages together cost as much as all keys at once.
pub(super) fn page(range: &Range, mut view: View<'_>) -> Option<RangeResponse> {
    if range.limit == 0 || range.sort.is_some() || range.max_create_revision > 0 {
        return None;
    }
    let taken = view.by_ref().take(range.limit);
    let kvs: Vec<_> = taken
        .map(|kv| KeyValue {
            value: match range.keys_only {
                true => Bytes::new(),
                false => kv.value.clone(),
            },
            ..kv.clone()
        })
        .collect();
    let left = view.count();
    Some(RangeResponse {
        revision: 0,
        more: left > 0,
        count: kvs.len() + left,
        kvs,
    })
}

/// What is answered when these keys were found: filtered, then sorted, then cut, as etcd does.
pub(super) fn answer(range: &Range, mut kvs: Vec<KeyValue>, revision: i64) -> RangeResponse {
    let count = kvs.len();
    if range.max_create_revision > 0 {
        kvs.retain(|kv| kv.create_revision <= range.max_create_revision);
    }
    if let Some((by, order)) = range.sort {
        kvs.sort_by(|a, b| match order {
            SortOrder::Ascending => compare(a, b, by),
            SortOrder::Descending => compare(b, a, by),
        });
    }
    let more = range.limit > 0 && kvs.len() > range.limit;
    if more {
        kvs.truncate(range.limit);
    }
    if range.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
    }
    RangeResponse {
        revision,
        kvs,
        more,
        count,
    }
}

fn compare(a: &KeyValue, b: &KeyValue, by: SortBy) -> Ordering {
    match by {
        SortBy::Key => a.key.cmp(&b.key),
        SortBy::Version => a.version.cmp(&b.version),
        SortBy::CreateRevision => a.create_revision.cmp(&b.create_revision),
        SortBy::ModRevision => a.mod_revision.cmp(&b.mod_revision),
        SortBy::Value => a.value.cmp(&b.value),
    }
}
