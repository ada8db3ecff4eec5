//! Transactions: one branch, one revision, and comparisons.

use super::{
    super::{
        expect,
        probe::{put, revision},
    },
    AnyStore,
};
use crate::coord::store::{
    Compare, Delete, Keys, LeaseId, Op, OpResponse, Put, Range,
    Relation::{Equal, Greater, Less, NotEqual},
    Target, Txn,
};
use futures_util::future::join_all;

pub(in super::super) async fn a_transaction_takes_one_branch_at_one_revision(store: AnyStore) {
    let start = revision(&*store).await;
    let txn = || {
        let then = Txn::new().when([Compare::absent("t/a")]);
        let then = then.then([Put::new("t/a", "1"), Put::new("t/b", "1")]);
        then.otherwise([Op::from(Range::one("t/a")), Delete::one("t/b").into()])
    };
    let first = expect::answered("a transaction", store.txn(txn()).await);
    expect::equal(
        "the first one, succeeded and revision",
        (first.succeeded, first.revision),
        (true, start + 1),
    );
    let second = expect::answered("a transaction", store.txn(txn()).await);
    expect::equal(
        "the second one, succeeded and revision",
        (second.succeeded, second.revision),
        (false, start + 2),
    );
    let [OpResponse::Range(found), OpResponse::Delete(deleted)] = &second.responses[..] else {
        panic!("expected the answers to a range and a delete, found {second:?}");
    };
    let created: Vec<_> = found.kvs.iter().map(|kv| kv.create_revision).collect();
    expect::equal(
        "the revision that made t/a, and the deleted keys",
        (created, deleted.deleted),
        (vec![start + 1], 1),
    );
    let end = revision(&*store).await;
    expect::equal("the revision after both", end, start + 2);
}

pub(in super::super) async fn only_one_of_many_creates_a_key(store: AnyStore) {
    let create = |n: usize| {
        let txn = Txn::new().when([Compare::absent("c/a")]);
        store.txn(txn.then([Put::new("c/a", n.to_string())]))
    };
    let answers = join_all((0..50).map(create)).await;
    let winners = answers
        .into_iter()
        .filter(|answer| expect::answered("a transaction", answer.clone()).succeeded);
    expect::equal("transactions that made the key", winners.count(), 1);
}

pub(in super::super) async fn a_comparison_is_of_what_it_names(store: AnyStore) {
    let made = put(&*store, "q/a", "b").await;
    let written = put(&*store, "q/a", "m").await;
    put(&*store, "q/b", "m").await;
    let (a, none, both) = (Keys::one("q/a"), Keys::one("q/none"), Keys::prefix("q/"));
    let (create, modified) = (Target::CreateRevision, Target::ModRevision);
    let value = |value: &'static str| Target::Value(value.into());
    let held = [
        Compare::new(a.clone(), Equal, Target::Version(2)),
        Compare::new(a.clone(), Equal, create(made)),
        Compare::new(a.clone(), Greater, create(made - 1)),
        Compare::new(a.clone(), Equal, modified(written)),
        Compare::new(a.clone(), Less, modified(written + 1)),
        Compare::new(a.clone(), Equal, value("m")),
        Compare::new(a.clone(), Greater, value("b")),
        Compare::new(a.clone(), NotEqual, value("n")),
        Compare::new(a.clone(), Equal, Target::Lease(LeaseId::NONE)),
        Compare::new(both.clone(), Equal, value("m")),
        Compare::new(none.clone(), Equal, Target::Version(0)),
        Compare::absent("q/none"),
        Compare::present("q/a"),
    ];
    let failed = [
        Compare::new(a.clone(), Equal, Target::Version(1)),
        Compare::new(a.clone(), Less, create(made)),
        Compare::new(a.clone(), NotEqual, modified(written)),
        Compare::new(a.clone(), Equal, modified(made)),
        Compare::new(a.clone(), Equal, value("b")),
        Compare::new(a.clone(), Less, value("m")),
        Compare::new(a, Greater, value("m")),
        // It must hold for each.
        Compare::new(both, Equal, Target::Version(2)),
        // An absent key has no value, not even one that differs.
        Compare::new(none.clone(), Equal, value("")),
        Compare::new(none, NotEqual, value("m")),
        Compare::absent("q/a"),
        Compare::present("q/none"),
    ];
    let all = held.map(|held| (held, true)).into_iter();
    for (compare, holds) in all.chain(failed.map(|failed| (failed, false))) {
        let answer = store.txn(Txn::new().when([compare.clone()])).await;
        let answer = expect::answered(format_args!("{compare:?}"), answer);
        expect::equal(
            format_args!("whether {compare:?} holds"),
            answer.succeeded,
            holds,
        );
    }
    let nothing = revision(&*store).await;
    expect::equal("the revision after comparisons alone", nothing, written + 1);
}
