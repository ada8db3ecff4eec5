//! One transaction, done by both.

use super::super::{
    expect,
    model::{Model, inside},
};
use crate::coord::store::{LeaseId, Op, OpResponse, Store, StoreError, Txn, TxnResponse};

pub(super) async fn play(store: &dyn Store, model: &mut Model, txn: Txn) {
    let answer = store.txn(txn.clone()).await;
    if clashes(&txn.then) || clashes(&txn.otherwise) {
        expect::invalid(format_args!("{txn:?}, a key twice"), "key", answer);
        return;
    }
    let succeeded = txn.compares.iter().all(|compare| model.holds(compare));
    let ops = if succeeded { &txn.then } else { &txn.otherwise };
    let known = |lease: LeaseId| !lease.is_some() || model.leases.contains_key(&lease);
    let is_unknown = |op: &Op| matches!(op, Op::Put(put) if !known(put.lease));
    if ops.iter().any(is_unknown) {
        let refused = matches!(answer, Err(StoreError::LeaseNotFound { .. }));
        expect::that(
            refused,
            format_args!("{txn:?} is refused for its lease, not {answer:?}"),
        );
        return;
    }
    let answer = expect::answered(format_args!("{txn:?}"), answer);
    expect::equal(
        format_args!("{txn:?}: whether it held, and its number of answers"),
        (answer.succeeded, answer.responses.len()),
        (succeeded, ops.len()),
    );
    apply(model, ops, &answer);
    expect::equal(
        format_args!("the revision of {txn:?}"),
        answer.revision,
        model.revision(),
    );
}

fn apply(model: &mut Model, ops: &[Op], answer: &TxnResponse) {
    let mut whole = model.now().clone();
    for (op, response) in ops.iter().zip(&answer.responses) {
        match (op, response) {
            (Op::Range(range), OpResponse::Range(found)) => {
                let expected = inside(&whole, &range.keys);
                expect::equal("a range in a transaction", &found.kvs, &expected);
            }
            (Op::Delete(delete), OpResponse::Delete(deleted)) => {
                let expected = inside(&whole, &delete.keys);
                let found = (&deleted.prev, deleted.deleted);
                expect::equal("what a delete found", found, (&expected, expected.len()));
                whole.retain(|_, kv| !delete.keys.contains(&kv.key));
            }
            (Op::Put(put), OpResponse::Put(written)) => {
                let expected = whole.get(&put.key);
                expect::equal("what a put found", written.prev.as_ref(), expected);
                model.put(&mut whole, put);
            }
            other => panic!("expected the answer to an operation, found {other:?}"),
        }
    }
    model.commit(whole);
}

/// Whether a key is written twice, or written and deleted.
fn clashes(ops: &[Op]) -> bool {
    let puts = ops.iter().enumerate().filter_map(|(at, op)| match op {
        Op::Put(put) => Some((at, &put.key)),
        Op::Range(_) | Op::Delete(_) => None,
    });
    puts.into_iter().any(|(at, key)| {
        ops.iter().enumerate().any(|(other, op)| match op {
            Op::Put(put) => other != at && put.key == *key,
            Op::Delete(delete) => delete.keys.contains(key),
            Op::Range(_) => false,
        })
    })
}
