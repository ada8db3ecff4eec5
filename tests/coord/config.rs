//! The config center, and handles of its settings.

use super::{
    config_cases::{self, Rule, rule},
    support::{Restored, Spy, changed, put},
};
use futures_util::{StreamExt, future::join_all};
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::coord::{
    ConfigCenter, ConfigError, ConfigEvent, ConfigValue, ConfigWatch, Json, MemoryStore, Store,
    StoreError,
};
use ziggurat_core::Dice;

const SECOND: Duration = Duration::from_secs(1);

config_cases::for_each_case!(over_memory);

fn spied() -> (Arc<Spy>, ConfigCenter) {
    let spy = Arc::new(Spy::default());
    let store: Arc<dyn Store> = Arc::clone(&spy) as _;
    (spy, ConfigCenter::new(store).dice(Dice::seeded(1)))
}

/// What a watch tells once all is quiet, as text.
async fn quiet<T: ConfigValue + std::fmt::Debug>(watch: &mut ConfigWatch<T>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(event) = time::timeout(10 * SECOND, watch.next()).await {
        assert!(seen.len() < 100, "{seen:?}");
        seen.push(match event.unwrap() {
            Ok(ConfigEvent::Put(entry)) => format!("+{} {:?}", entry.key, entry.value),
            Ok(ConfigEvent::Delete { key, .. }) => format!("-{key}"),
            Ok(other) => panic!("{other:?}"),
            Err(ConfigError::Invalid { key, .. }) => format!("?{key}"),
            Err(ConfigError::Store(_)) => "!".to_owned(),
            Err(other) => panic!("{other:?}"),
        });
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_prefix_never_sees_its_siblings() {
    let (_, center) = spied();
    for key in [
        "ratelimit/a",
        "ratelimit/b/c",
        "ratelimit2/a",
        "ratelimit",
        "x",
    ] {
        center.set(key, "").await.unwrap();
    }
    for prefix in [
        "ratelimit",
        "ratelimit/",
        "/ratelimit",
        "/config/ratelimit/",
    ] {
        let keys = center.list(prefix).await.unwrap();
        assert_eq!(keys, ["ratelimit/a", "ratelimit/b/c"]);
        let mut watch = center.watch_prefix::<String>(prefix).unwrap();
        let seen = quiet(&mut watch).await;
        assert_eq!(seen, [r#"+ratelimit/a """#, r#"+ratelimit/b/c """#]);
        center.set("ratelimit2/b", "").await.unwrap();
        assert_eq!(quiet(&mut watch).await, [""; 0]);
    }
    assert_eq!(center.list("").await.unwrap().len(), 6);
    assert!(center.delete("ratelimit").await.unwrap());
    assert!(!center.delete("ratelimit").await.unwrap());
    assert_eq!(center.list("").await.unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_leaves_its_place_is_refused_by_field_and_value() {
    let center = ConfigCenter::memory();
    for key in ["", "..", "a/../../services/x", "a//b", "a\u{7}"] {
        let refused = [
            center.get::<u32>(key).await.unwrap_err(),
            center.set(key, "").await.unwrap_err(),
            center.compare_and_set(key, 0, "").await.unwrap_err(),
            center.delete(key).await.unwrap_err(),
            center.watch::<u32>(key).unwrap_err(),
            center.handle::<u32>(key).or(1).await.unwrap_err(),
        ];
        for error in refused {
            let ConfigError::Store(StoreError::InvalidArgument { field, value, .. }) = error else {
                panic!("{error}");
            };
            assert_eq!((field, value), ("key", key.escape_debug().to_string()));
        }
    }
    let negative = center.compare_and_set("a", -1, "").await.unwrap_err();
    assert!(negative.to_string().contains("revision `-1`"), "{negative}");
    assert!(center.list("..").await.is_err() && center.watch_prefix::<u32>("a//").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_bad_value_is_refused_where_it_is_written_and_named_where_it_is_read() {
    let (spy, center) = spied();
    let written = center.set("rule", &rule(0)).await.unwrap_err();
    assert!(
        written
            .to_string()
            .contains("capacity 0 must be above zero"),
        "{written}"
    );
    assert!(center.set("nan", &Json(vec![0_u8; 1 << 20])).await.is_err());
    let revision = put(&*spy, "/config/rule", r#"{"rate":5,"capacity":"ten"}"#).await;
    let Err(ConfigError::Invalid {
        key,
        revision: at,
        reason,
        value,
    }) = center.get::<Rule>("rule").await
    else {
        panic!("it was read");
    };
    assert_eq!((&*key, at), ("rule", revision));
    assert!(
        reason.starts_with("capacity: invalid type: string \"ten\""),
        "{reason}"
    );
    assert_eq!(value, r#"{\"rate\":5,\"capacity\":\"ten\"}"#);
    for bad in [
        "",
        "{",
        "{}",
        r#"{"rate":5,"capacity":0}"#,
        r#"{"rate":5,"capacity":1} x"#,
    ] {
        put(&*spy, "/config/rule", bad).await;
        let read = center.get::<Rule>("rule").await;
        assert!(
            matches!(read, Err(ConfigError::Invalid { .. })),
            "{bad}: {read:?}"
        );
    }
    let long = format!("[{}", "\u{e9}".repeat(1_000));
    put(&*spy, "/config/rule", &long).await;
    let error = center.get::<Rule>("rule").await.unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_last_of_five_hundred_writes_is_always_seen() {
    for seed in 0..50 {
        println!("seed {seed}");
        let dice = Dice::seeded(seed);
        let (spy, center) = spied();
        let begin = dice.below(500);
        let mut watch = None;
        let mut handle = None;
        let mut last = None;
        for n in 0..500_u32 {
            if n as usize == begin {
                watch = Some(center.watch::<u32>("a").unwrap());
                handle = Some(center.handle::<u32>("a").or(u32::MAX).await.unwrap());
            }
            if dice.below(10) == 0 && n < 499 {
                center.delete("a").await.unwrap();
            } else {
                center.set("a", &n).await.unwrap();
            }
            match dice.below(60) {
                0 => spy.store.break_watches(),
                1 => {
                    spy.store.break_watches();
                    let revision = super::support::revision(&*spy).await;
                    let _may_be_done = spy.store.compact(revision);
                }
                2..10 => time::sleep(dice.duration(Duration::ZERO..SECOND)).await,
                _ => {}
            }
            if let Some(watch) = watch.as_mut().filter(|_| dice.below(4) == 0) {
                while let Ok(Some(event)) = time::timeout(Duration::ZERO, watch.next()).await {
                    last = Some(event).filter(Result::is_ok).or(last);
                }
            }
        }
        let (mut watch, handle) = (watch.unwrap(), handle.unwrap());
        while let Ok(Some(event)) = time::timeout(5 * SECOND, watch.next()).await {
            last = Some(event).filter(Result::is_ok).or(last);
        }
        assert!(
            matches!(&last, Some(Ok(ConfigEvent::Put(entry))) if entry.value == 499),
            "{last:?}"
        );
        assert_eq!(*handle.load(), 499);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_after_a_bad_value_an_outage_and_a_compaction() {
    let (spy, center) = spied();
    for (key, value) in [("r/a", 1), ("r/b", 2), ("r/c", 3)] {
        center.set(key, &value).await.unwrap();
    }
    put(&*spy, "/config/r/bad", "{").await;
    put(&*spy, "/config/r//nobody", "1").await;
    let mut watch = center.watch_prefix::<u32>("r").unwrap();
    assert_eq!(
        quiet(&mut watch).await,
        ["+r/a 1", "+r/b 2", "?r/bad", "+r/c 3"]
    );
    put(&*spy, "/config/r/a", "x").await;
    center.set("r/a", &4).await.unwrap();
    center.delete("r/b").await.unwrap();
    assert_eq!(quiet(&mut watch).await, ["?r/a", "+r/a 4", "-r/b"]);

    spy.store.set_available(false);
    spy.store.break_watches();
    assert_eq!(quiet(&mut watch).await, ["!"]);
    time::sleep(600 * SECOND).await;
    assert_eq!(quiet(&mut watch).await, [""; 0]);
    spy.store.set_available(true);
    center.delete("r/c").await.unwrap();
    center.set("r/d", &5).await.unwrap();
    let last = center.set("r/a", &6).await.unwrap();
    spy.store.compact(last).unwrap();
    // The bad one is not told again, and what did not change neither.
    assert_eq!(quiet(&mut watch).await, ["+r/a 6", "+r/d 5", "-r/c"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_restored_from_a_backup_is_read_anew() {
    let store = Arc::new(Restored::default());
    for n in 1..9 {
        put(&store.before, "/config/a", &n.to_string()).await;
    }
    put(&store.after, "/config/a", "100").await;
    let center = ConfigCenter::new(Arc::clone(&store) as _);
    let handle = center.handle::<u32>("a").await.unwrap();
    let mut watch = center.watch::<u32>("a").unwrap();
    assert_eq!(quiet(&mut watch).await, ["+a 8"]);
    store.restored.store(true, SeqCst);
    store.before.break_watches();
    assert_eq!(quiet(&mut watch).await, ["!", "+a 100"]);
    assert_eq!(*handle.load(), 100);
}

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
