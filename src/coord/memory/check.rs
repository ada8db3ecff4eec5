//! What etcd refuses before it looks at a key, so that the embedded store refuses it too.

use crate::coord::store::{Keys, Op, StoreError, Txn};
use std::collections::BTreeSet;

/// etcd's `--max-txn-ops`: of comparisons, and of operations in a branch.
const MAX_OPS: usize = 128;
/// etcd's `--max-request-bytes`.
const MAX_BYTES: usize = 3 << 19;

/// Whether a transaction can be carried out here, whatever is stored.
pub(super) fn txn(txn: &Txn) -> Result<(), StoreError> {
    let Txn {
        compares,
        then,
        otherwise,
        ..
    } = txn;
    sense(txn)?;
    let ops = compares.len().max(then.len()).max(otherwise.len());
    if ops > MAX_OPS {
        return Err(StoreError::invalid(
            "operations",
            ops,
            "must be at most 128",
        ));
    }
    let bytes = bytes(then) + bytes(otherwise);
    if bytes > MAX_BYTES {
        return Err(StoreError::invalid(
            "bytes",
            bytes,
            "must be at most 1572864",
        ));
    }
    Ok(())
}

/// Whether it could be carried out by any store, whatever its limits.
pub(in crate::coord) fn sense(txn: &Txn) -> Result<(), StoreError> {
    for compare in &txn.compares {
        keys(&compare.keys)?;
    }
    branch(&txn.then)?;
    branch(&txn.otherwise)
}

/// Whether there is a key to look for at all.
pub(in crate::coord) fn keys(keys: &Keys) -> Result<(), StoreError> {
    if keys.start().is_empty() {
        return Err(StoreError::invalid("key", "", "must not be empty"));
    }
    Ok(())
}

fn bytes(ops: &[Op]) -> usize {
    let written = ops.iter().map(|op| match op {
        Op::Put(put) => put.key.len() + put.value.len(),
        Op::Range(_) | Op::Delete(_) => 0,
    });
    written.sum()
}

fn branch(ops: &[Op]) -> Result<(), StoreError> {
    let mut written = BTreeSet::new();
    let is_alone = ops.len() == 1;
    for op in ops {
        match op {
            Op::Range(range) => keys(&range.keys)?,
            Op::Delete(delete) => keys(&delete.keys)?,
            Op::Put(put) if put.key.is_empty() => {
                return Err(StoreError::invalid("key", "", "must not be empty"));
            }
            Op::Put(_) if is_alone => {}
            Op::Put(put) => {
                if !written.insert(&*put.key) {
                    return Err(twice(&put.key));
                }
            }
        }
    }
    let deleted = |key: &&&[u8]| {
        let hits = |op: &Op| matches!(op, Op::Delete(delete) if delete.keys.contains(key));
        ops.iter().any(hits)
    };
    match written.iter().find(deleted) {
        Some(key) => Err(twice(key)),
        None => Ok(()),
    }
}

fn twice(key: &[u8]) -> StoreError {
    let rule = "must be changed at most once in a branch of a transaction";
    StoreError::invalid("key", key.escape_ascii(), rule)
}
