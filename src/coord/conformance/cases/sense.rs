//! What a store refuses, and what it does not do by itself.

use super::{
    super::{expect, probe::revision},
    AnyStore, TTL,
};
use crate::coord::store::{Delete, Keys, Op, Put, Range, StoreError, Txn, Watch, WatchError};
use futures_util::StreamExt;
use std::time::Duration;

pub(in super::super) async fn what_makes_no_sense_is_refused(store: AnyStore) {
    let start = revision(&*store).await;
    let put = store.put(Put::new("", "")).await;
    expect::invalid("a put without a key", "key", put);
    let found = store.range(Range::one("")).await;
    expect::invalid("a range without a key", "key", found);
    let deleted = store.delete(Delete::one("")).await;
    expect::invalid("a delete without a key", "key", deleted);
    let twice = Txn::new().then([Put::new("y/a", ""), Put::new("y/a", "")]);
    expect::invalid("two puts of one key", "key", store.txn(twice).await);
    let both = Txn::new().then([Put::new("y/a", "").into(), Op::from(Delete::one("y/a"))]);
    expect::invalid("a put and a delete", "key", store.txn(both).await);
    let never = store.grant(Duration::ZERO).await;
    expect::invalid("a lease of no time", "ttl", never);
    let mut watch = store.watch(Watch::new(Keys::between("b", "a")));
    let refused = watch.next().await;
    let Some(Err(WatchError::Broken(StoreError::InvalidArgument { .. }))) = refused else {
        panic!("a watch of nothing: expected an invalid argument, found {refused:?}");
    };
    let end = watch.next().await;
    expect::equal("what follows the error of a watch", end, None);
    let end = revision(&*store).await;
    expect::equal("the revision after refusals", end, start);
}

pub(in super::super) async fn an_answer_not_awaited_does_nothing(store: AnyStore) {
    let start = revision(&*store).await;
    drop(store.put(Put::new("z/a", "")));
    drop(store.grant(TTL));
    let end = revision(&*store).await;
    expect::equal("the revision after nothing was awaited", end, start);
}
