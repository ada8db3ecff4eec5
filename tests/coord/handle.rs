//! Handles of a setting: what is in force, and for how long.

use super::{
    config::{SECOND, spied},
    config_cases::{Rule, rule},
    support::{changed, put},
};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::coord::{ConfigCenter, ConfigError, StoreError};

#[tokio::test(start_paused = true)]
async fn a_handle_of_an_existing_key_is_there_at_once() {
    let (spy, center) = spied();
    let revision = center.set("rule", &rule(10)).await.unwrap();
    let begun = Instant::now();
    let handle = center.handle::<Rule>("rule").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!((&*handle.load(), handle.revision()), (&rule(10), revision));
    assert_eq!((handle.key(), handle.errors()), ("rule", 0));
    // Without a value to start with there is no handle.
    let absent = center.handle::<Rule>("nothing").await.unwrap_err();
    assert!(matches!(absent, ConfigError::Absent { key } if key == "nothing"));
    put(&*spy, "/config/bad", "{").await;
    let bad = center.handle::<Rule>("bad").await.unwrap_err();
    assert!(matches!(bad, ConfigError::Invalid { .. }));
    let default = center.handle("nothing").or(rule(0)).await.unwrap_err();
    assert!(default.to_string().contains("capacity 0"), "{default}");
    let begun = Instant::now();
    spy.hang(true);
    let hung = center.handle::<Rule>("rule").await.unwrap_err();
    assert!(matches!(
        hung,
        ConfigError::Store(StoreError::Unavailable { .. })
    ));
    assert!(begun.elapsed() <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_handle_follows_and_keeps_the_last_good_value() {
    let (spy, center) = spied();
    center.set("rule", &rule(10)).await.unwrap();
    let mut handle = center.handle::<Rule>("rule").await.unwrap();
    let live = handle.live();
    center.set("rule", &rule(20)).await.unwrap();
    assert_eq!(changed(&mut handle).await.capacity, 20);
    assert_eq!(live.read(|rule| rule.capacity), 20);

    for (errors, bad) in [(1, "{"), (2, r#"{"rate":1,"capacity":0}"#)] {
        let revision = put(&*spy, "/config/rule", bad).await;
        let waited = time::timeout(SECOND, handle.changed()).await;
        assert!(waited.is_err(), "a bad value came into force");
        assert_eq!((handle.load().capacity, handle.errors()), (20, errors));
        let Some(ConfigError::Invalid { revision: at, .. }) = handle.last_error() else {
            panic!("{:?}", handle.last_error());
        };
        assert_eq!(at, revision);
        // However often the store is read anew, that was one error.
        spy.store.break_watches();
        spy.store.compact(revision).unwrap();
        time::sleep(10 * SECOND).await;
        assert_eq!(handle.errors(), errors);
    }
    let good = center.set("rule", &rule(30)).await.unwrap();
    assert_eq!(changed(&mut handle).await.capacity, 30);
    assert_eq!(
        (handle.revision(), live.read(|rule| rule.capacity)),
        (good, 30)
    );
    // The same bytes once more are another revision, but no change.
    let same = center.set("rule", &rule(30)).await.unwrap();
    assert!(time::timeout(SECOND, handle.changed()).await.is_err());
    assert_eq!(handle.revision(), same);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_setting_falls_to_its_default_or_stays() {
    let (_, center) = spied();
    center.set("rule", &rule(10)).await.unwrap();
    let mut with = center.handle("rule").or(rule(1)).await.unwrap();
    let without = center.handle::<Rule>("rule").await.unwrap();
    center.delete("rule").await.unwrap();
    assert_eq!(changed(&mut with).await.capacity, 1);
    time::sleep(SECOND).await;
    assert_eq!((with.revision(), without.load().capacity), (0, 10));
    center.set("rule", &rule(10)).await.unwrap();
    assert_eq!(changed(&mut with).await.capacity, 10);
}

#[tokio::test(start_paused = true)]
async fn a_default_is_in_force_until_the_store_answers() {
    let (spy, center) = spied();
    center.set("rule", &rule(10)).await.unwrap();
    spy.store.set_available(false);
    let mut handle = center.handle("rule").or(rule(1)).await.unwrap();
    assert_eq!(handle.load().capacity, 1);
    assert!(handle.trouble().is_some());
    spy.store.set_available(true);
    assert_eq!(changed(&mut handle).await.capacity, 10);
    time::sleep(SECOND).await;
    assert_eq!((handle.trouble(), handle.errors()), (None, 0));

    put(&*spy, "/config/bad", "{").await;
    let mut bad = center.handle("bad").or(rule(1)).await.unwrap();
    assert_eq!((bad.load().capacity, bad.errors()), (1, 1));
    center.delete("bad").await.unwrap();
    assert!(
        time::timeout(SECOND, bad.changed()).await.is_err(),
        "the default was there"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_holder_counts_as_well() {
    let center = ConfigCenter::memory();
    let at_most = |max: u32| {
        move |rule: &Rule| {
            let fits = rule.capacity <= max;
            fits.then_some(())
                .ok_or(format!("{} is above {max}", rule.capacity))
        }
    };
    center.set("rule", &rule(10)).await.unwrap();
    let refused = center
        .handle::<Rule>("rule")
        .check(at_most(9))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("10 is above 9"), "{refused}");
    let handle = center
        .handle::<Rule>("rule")
        .check(at_most(10))
        .await
        .unwrap();
    center.set("rule", &rule(11)).await.unwrap();
    time::sleep(SECOND).await;
    assert_eq!((handle.load().capacity, handle.errors()), (10, 1));
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_clone_of_the_handle() {
    let (_, center) = spied();
    let alive = || Handle::current().metrics().num_alive_tasks();
    let mut handle = center.handle("a").or(1_u32).await.unwrap();
    let mut others = vec![handle.clone(); 3];
    assert_eq!(alive(), 1);
    center.set("a", &2_u32).await.unwrap();
    let seen = join_all(others.iter_mut().map(changed)).await;
    assert!(seen.iter().all(|value| **value == 2));
    drop(others);
    assert_eq!(*changed(&mut handle).await, 2);
    center.set("a", &3_u32).await.unwrap();
    assert_eq!(*changed(&mut handle).await, 3);
    let live = handle.live();
    drop(handle);
    time::sleep(SECOND).await;
    assert_eq!((alive(), live.get()), (0, 3));
}

#[test]
fn a_handle_outside_a_runtime_is_an_error_and_one_that_outlives_it_says_so() {
    let center = ConfigCenter::memory();
    let opened = futures_util::FutureExt::now_or_never(center.handle("a").or(1_u32).into_future());
    assert!(matches!(opened, Some(Err(ConfigError::Store(_)))));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut handle = runtime
        .block_on(center.handle("a").or(1_u32).into_future())
        .unwrap();
    drop(runtime);
    let waited = futures_util::FutureExt::now_or_never(handle.changed());
    assert_eq!((waited, *handle.load()), (Some(None), 1));
}
