//! What instance ids, and the unique ids on top of them, must do over every store.

use super::{
    script::Script,
    support::{AnyStore, LONG, MS, Task, keys, poll_once, put, until},
};
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time};
use ziggurat::coord::{
    Delete, IdLayout, InstanceId, InstanceIds, Op, Put, Range, Snowflake, SnowflakeError,
    StoreError, TryIdError, Txn,
};

const PREFIX: &str = "/im-infra/allocators/im-gateway/ids/";

fn ids(store: &AnyStore) -> InstanceIds {
    InstanceIds::new(Arc::clone(store), "im-gateway").unwrap()
}

fn is_exhausted<T>(answer: &Result<T, TryIdError>) -> bool {
    matches!(answer, Err(TryIdError::Exhausted { .. }))
}

pub(super) async fn a_hundred_who_come_at_once_get_a_hundred_numbers(store: AnyStore) {
    let ids = ids(&store);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let ids = ids.clone();
        tasks.spawn(async move { ids.acquire().await.unwrap() });
    }
    let held: Vec<InstanceId> = tasks.join_all().await;
    let numbers: HashSet<u16> = held.iter().map(|id| id.id().unwrap()).collect();
    assert_eq!(numbers.len(), 100);
    assert!(numbers.iter().all(|n| (1..1024).contains(n)));
    assert_eq!(keys(&*store, "/im-infra/").await.len(), 100);
    for released in join_all(held.into_iter().map(InstanceId::release)).await {
        released.unwrap();
    }
    assert_eq!(keys(&*store, "/im-infra/").await, []);
}

pub(super) async fn the_fourth_of_three_waits_until_one_is_given_back(store: AnyStore) {
    let ids = ids(&store).range(1..4).unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(ids.acquire().await.unwrap());
    }
    let fourth = ids.clone();
    let mut waiting = Task::spawn(async move { fourth.acquire().await.unwrap() });
    waiting.waits().await;
    assert!(is_exhausted(&ids.try_acquire().await));
    let freed = held.remove(1);
    let number = freed.id().unwrap();
    freed.release().await.unwrap();
    let id = waiting.done().await;
    assert_eq!(id.id(), Ok(number));
}

pub(super) async fn three_round_trips_are_enough_with_five_hundred_taken(store: AnyStore) {
    // As many as etcd takes in one transaction.
    for first in (1..=500).step_by(100) {
        let put = |n: u16| Op::from(Put::new(format!("{PREFIX}{n}"), n.to_string()));
        let puts = (first..first + 100).map(put);
        store.txn(Txn::new().then(puts)).await.unwrap();
    }
    let script = Script::counting(store);
    let ids = InstanceIds::new(Arc::clone(&script) as _, "im-gateway").unwrap();
    let id = ids.acquire().await.unwrap();
    assert!(script.asked() <= 3);
    assert!(id.id().unwrap() > 500);
    let full = ids.range(1..501).unwrap();
    assert!(is_exhausted(&full.try_acquire().await));
    assert_eq!(script.asked(), 1, "who finds nothing needs no lease");
}

pub(super) async fn only_its_owner_gives_a_number_back(store: AnyStore) {
    let ids = ids(&store).range(5..6).unwrap();
    let old = ids.acquire().await.unwrap();
    assert!(is_exhausted(&ids.try_acquire().await));
    store.revoke(old.lease()).await.unwrap();
    let lost = time::timeout(LONG, old.lost()).await.unwrap();
    assert_eq!(old.id(), Err(lost));
    let new = ids.acquire().await.unwrap();
    assert_eq!(new.id(), Ok(5));
    assert!(new.token() > old.token());
    let released = old.release().await;
    assert!(matches!(released, Err(StoreError::LeaseNotFound { .. })));
    let kv = store.range(Range::one(new.key().to_owned())).await.unwrap();
    assert_eq!(kv.kvs[0].lease, new.lease());
    assert_eq!(new.id(), Ok(5));
}

pub(super) async fn once_the_number_is_lost_no_id_is_made(store: AnyStore) {
    for delete in [false, true] {
        let ids = ids(&store).layout(IdLayout::MachineIds);
        let id = Arc::new(ids.acquire().await.unwrap());
        let snowflake = Snowflake::new(Arc::clone(&id)).unwrap();
        let made = snowflake.next_id().await.unwrap();
        assert_eq!(Ok(snowflake.decode(made).node), id.id());
        if delete {
            let key = id.key().to_owned();
            store.delete(Delete::one(key)).await.unwrap();
        } else {
            store.revoke(id.lease()).await.unwrap();
        }
        let lost = time::timeout(LONG, id.lost()).await.unwrap();
        for _ in 0..100 {
            let none = Err(SnowflakeError::Lost(lost.clone()));
            assert_eq!(snowflake.try_next_id(), none);
            assert_eq!(snowflake.next_id().await, none);
        }
    }
}

pub(super) async fn one_that_gives_up_waiting_takes_nothing(store: AnyStore) {
    let ids = ids(&store).range(7..8).unwrap();
    let held = ids.acquire().await.unwrap();
    let waiting = time::timeout(200 * MS, ids.acquire());
    assert!(waiting.await.is_err());
    // Given up in the middle of taking it.
    held.release().await.unwrap();
    for polls in 1..8 {
        let mut acquire = Box::pin(ids.acquire());
        for _ in 0..polls {
            if poll_once(acquire.as_mut()).await.is_ready() {
                break;
            }
            time::sleep(MS).await;
        }
    }
    until(async || keys(&*store, "/im-infra/").await.is_empty()).await;
    assert_eq!(ids.acquire().await.unwrap().id(), Ok(7));
}

pub(super) async fn keys_and_values_are_those_of_the_go_services(store: AnyStore) {
    let layouts = [
        (
            IdLayout::Allocators,
            "/im-infra/allocators/im-gateway/ids/5",
            "5",
        ),
        (IdLayout::Instances, "/gochat/instances/im-gateway/5", "5"),
        (IdLayout::MachineIds, "/gochat/machine_ids/5", "acquired"),
    ];
    for (layout, key, value) in layouts {
        let ids = ids(&store).layout(layout).range(5..6).unwrap();
        let id = ids.acquire().await.unwrap();
        assert_eq!(id.key(), key);
        let kv = store.range(Range::one(key)).await.unwrap().kvs.remove(0);
        assert_eq!(kv.value, value);
        let granted = store.time_to_live(kv.lease).await.unwrap().granted;
        assert_eq!(granted, Duration::from_secs(30));
        id.release().await.unwrap();
        // What Go wrote is respected, and nonsense is no number.
        put(&*store, key, value).await;
        assert!(is_exhausted(&ids.try_acquire().await));
        store.delete(Delete::one(key)).await.unwrap();
        put(&*store, &format!("{key}/x"), value).await;
        assert_eq!(ids.acquire().await.unwrap().id(), Ok(5));
    }
}

/// All of the above, for a macro that makes tests of them.
macro_rules! for_each_case {
    ($make:ident) => {
        $make! { id_cases:
            a_hundred_who_come_at_once_get_a_hundred_numbers,
            the_fourth_of_three_waits_until_one_is_given_back,
            three_round_trips_are_enough_with_five_hundred_taken,
            only_its_owner_gives_a_number_back,
            once_the_number_is_lost_no_id_is_made,
            one_that_gives_up_waiting_takes_nothing,
            keys_and_values_are_those_of_the_go_services,
        }
    };
}
pub(super) use for_each_case;
