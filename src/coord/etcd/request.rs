//! What is asked, as etcd's client wants it.

use super::namespace::Namespace;
use crate::coord::store::{
    Compare, Delete, Keys, Op, Put, Range, Relation, SortBy, SortOrder, Target, Txn, Watch,
};
use etcd_client::{
    CompareOp, DeleteOptions, GetOptions, PutOptions, SortOrder as EtcdOrder, SortTarget, TxnOp,
    WatchOptions,
};

/// A key or the first of several, and how to go on from there.
type Keyed<T> = (Vec<u8>, T);

pub(super) fn range(range: &Range, namespace: &Namespace) -> Keyed<GetOptions> {
    let (key, end) = bounds(&range.keys, namespace);
    let mut options = GetOptions::new()
        .with_revision(range.revision)
        .with_limit(i64::try_from(range.limit).unwrap_or(i64::MAX))
        .with_max_create_revision(range.max_create_revision);
    if let Some(end) = end {
        options = options.with_range(end);
    }
    if let Some((by, order)) = range.sort {
        options = options.with_sort(target(by), direction(order));
    }
    if range.keys_only {
        options = options.with_keys_only();
    }
    if range.serializable {
        options = options.with_serializable();
    }
    (key, options)
}

pub(super) fn txn(txn: &Txn, namespace: &Namespace) -> etcd_client::Txn {
    let compares = txn.compares.iter();
    let compares: Vec<_> = compares.map(|it| compare(it, namespace)).collect();
    let branch = |ops: &[Op]| -> Vec<_> { ops.iter().map(|it| op(it, namespace)).collect() };
    etcd_client::Txn::new()
        .when(compares)
        .and_then(branch(&txn.then))
        .or_else(branch(&txn.otherwise))
}

/// Always with word of progress, so that a watch that is resumed starts further on.
pub(super) fn watch(watch: &Watch, from: i64, namespace: &Namespace) -> Keyed<WatchOptions> {
    let (key, end) = bounds(&watch.keys, namespace);
    let options = WatchOptions::new()
        .with_start_revision(from)
        .with_progress_notify();
    let options = match end {
        Some(end) => options.with_range(end),
        None => options,
    };
    if watch.prev_kv {
        return (key, options.with_prev_key());
    }
    (key, options)
}

fn compare(compare: &Compare, namespace: &Namespace) -> etcd_client::Compare {
    use etcd_client::Compare as Etcd;
    let (key, end) = bounds(&compare.keys, namespace);
    let relation = match compare.relation {
        Relation::Equal => CompareOp::Equal,
        Relation::NotEqual => CompareOp::NotEqual,
        Relation::Less => CompareOp::Less,
        Relation::Greater => CompareOp::Greater,
    };
    let compare = match &compare.target {
        Target::Version(version) => Etcd::version(key, relation, *version),
        Target::CreateRevision(revision) => Etcd::create_revision(key, relation, *revision),
        Target::ModRevision(revision) => Etcd::mod_revision(key, relation, *revision),
        Target::Value(value) => Etcd::value(key, relation, &**value),
        Target::Lease(lease) => Etcd::lease(key, relation, lease.0),
    };
    match end {
        Some(end) => compare.with_range(end),
        None => compare,
    }
}

fn op(op: &Op, namespace: &Namespace) -> TxnOp {
    match op {
        Op::Range(asked) => {
            let (key, options) = range(asked, namespace);
            TxnOp::get(key, Some(options))
        }
        Op::Put(asked) => put(asked, namespace),
        Op::Delete(asked) => delete(asked, namespace),
    }
}

fn put(put: &Put, namespace: &Namespace) -> TxnOp {
    let options = PutOptions::new().with_lease(put.lease.0);
    let options = if put.prev_kv {
        options.with_prev_key()
    } else {
        options
    };
    TxnOp::put(namespace.key(&put.key), &*put.value, Some(options))
}

fn delete(delete: &Delete, namespace: &Namespace) -> TxnOp {
    let (key, end) = bounds(&delete.keys, namespace);
    let mut options = DeleteOptions::new();
    if let Some(end) = end {
        options = options.with_range(end);
    }
    if delete.prev_kv {
        options = options.with_prev_key();
    }
    TxnOp::delete(key, Some(options))
}

/// Does it only read, and whatever a member knows? Then a member answers it by itself.
pub(super) fn is_serializable(txn: &Txn) -> bool {
    let mut ops = txn.then.iter().chain(&txn.otherwise);
    ops.all(|op| matches!(op, Op::Range(range) if range.serializable))
}

fn bounds(keys: &Keys, namespace: &Namespace) -> (Vec<u8>, Option<Vec<u8>>) {
    let keys = namespace.keys(keys);
    let end = (!keys.end().is_empty()).then(|| keys.end().to_vec());
    (keys.start().to_vec(), end)
}

const fn target(by: SortBy) -> SortTarget {
    match by {
        SortBy::Key => SortTarget::Key,
        SortBy::Version => SortTarget::Version,
        SortBy::CreateRevision => SortTarget::Create,
        SortBy::ModRevision => SortTarget::Mod,
        SortBy::Value => SortTarget::Value,
    }
}

const fn direction(order: SortOrder) -> EtcdOrder {
    match order {
        SortOrder::Ascending => EtcdOrder::Ascend,
        SortOrder::Descending => EtcdOrder::Descend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_that_the_cluster_must_agree_on_is_enough() {
        let (own, agreed) = (Range::one("a").serializable(), Range::one("a"));
        let reads = || Txn::new().then([own.clone()]);
        assert!(is_serializable(&reads()));
        assert!(is_serializable(&reads().otherwise([own.clone()])));
        assert!(!is_serializable(&reads().otherwise([agreed.clone()])));
        assert!(!is_serializable(&Txn::new().then([agreed])));
        assert!(!is_serializable(&Txn::new().then([Put::new("a", "")])));
    }
}
