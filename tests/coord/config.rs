//! The config center, and handles of its settings.

use super::{
    config_cases::{self, Rule, rule},
    support::{Restored, Spy, put},
};
use futures_util::StreamExt;
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::{self};
use ziggurat::coord::{
    ConfigCenter, ConfigError, ConfigEvent, ConfigValue, ConfigWatch, Json, MemoryStore, Store,
    StoreError,
};
use ziggurat_core::Dice;

pub(super) const SECOND: Duration = Duration::from_secs(1);

config_cases::for_each_case!(over_memory);

pub(super) fn spied() -> (Arc<Spy>, ConfigCenter) {
    let spy = Arc::new(Spy::default());
    let store: Arc<dyn Store> = Arc::clone(&spy) as _;
    (spy, ConfigCenter::new(store).dice(Dice::seeded(1)))
}

/// What a watch tells once all is quiet, as text.
pub(super) async fn quiet<T: ConfigValue + std::fmt::Debug>(
    watch: &mut ConfigWatch<T>,
) -> Vec<String> {
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
