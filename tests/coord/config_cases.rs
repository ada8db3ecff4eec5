//! What the config center must do over every store.

use super::support::{AnyStore, LONG, MS, SECOND, changed, put, until};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat::coord::{
    ConfigCenter, ConfigError, ConfigEvent, ConfigLayout, ConfigValue, Json, Range, Store, duration,
};
use ziggurat_core::{BoxError, InvalidSetting};

/// A rate limit as gochat's services have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) rate: f64,
    pub(super) capacity: u32,
    #[serde(default)]
    description: String,
}

/// A circuit breaker as gochat's services have it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Breaker {
    failure_threshold: u32,
    success_threshold: u32,
    #[serde(with = "duration")]
    open_state_timeout: Duration,
}

impl ConfigValue for Rule {
    fn validate(&self) -> Result<(), BoxError> {
        if self.capacity == 0 {
            let rule = "must be above zero";
            return Err(InvalidSetting::new("rule", "capacity", self.capacity, rule).into());
        }
        Ok(())
    }
}

impl ConfigValue for Breaker {}

pub(super) fn rule(capacity: u32) -> Rule {
    Rule {
        rate: 5.0,
        capacity,
        description: String::new(),
    }
}

async fn stored(store: &dyn Store, key: &str) -> String {
    let found = store.range(Range::one(key.to_owned())).await.unwrap();
    String::from_utf8(found.kvs[0].value.to_vec()).unwrap()
}

pub(super) async fn every_value_is_read_back_as_it_was_written(store: AnyStore) {
    let center = ConfigCenter::new(store);
    for text in [
        "dark",
        "\"quoted\"",
        r#"{"a":1}"#,
        "null",
        "1",
        "",
        " \u{e9}\n",
    ] {
        let revision = center.set("text", text).await.unwrap();
        let read = center.get::<String>("text").await.unwrap().unwrap();
        assert_eq!(
            (&*read.key, &*read.value, read.revision),
            ("text", text, revision)
        );
        center.set("owned", &text.to_owned()).await.unwrap();
        assert_eq!(
            center.get::<String>("owned").await.unwrap().unwrap().value,
            text
        );
        center.set("json", &Json(text.to_owned())).await.unwrap();
        let Json(read) = center
            .get::<Json<String>>("json")
            .await
            .unwrap()
            .unwrap()
            .value;
        assert_eq!(read, text);
    }
    let bytes = [0_u8, 255, b'"', b'{'];
    center.set("bytes", &bytes[..]).await.unwrap();
    assert_eq!(
        center.get::<Vec<u8>>("bytes").await.unwrap().unwrap().value,
        bytes
    );
    center.set("rule", &rule(10)).await.unwrap();
    assert_eq!(
        center.get::<Rule>("rule").await.unwrap().unwrap().value,
        rule(10)
    );
    center.set("number", &7_u32).await.unwrap();
    assert_eq!(center.get::<u32>("number").await.unwrap().unwrap().value, 7);
    assert_eq!(center.get::<u32>("nothing").await.unwrap(), None);
}

pub(super) async fn gochat_peers_find_what_they_would_write(store: AnyStore) {
    let center = ConfigCenter::new(Arc::clone(&store)).layout(ConfigLayout::Gochat);
    let breaker = Breaker {
        failure_threshold: 5,
        success_threshold: 2,
        open_state_timeout: 60 * SECOND,
    };
    center.set("common/mq", &json!(["a:9092"])).await.unwrap();
    assert_eq!(stored(&*store, "/config/common/mq").await, r#"["a:9092"]"#);
    center
        .set("/config/dev/im-repo/db", &json!(["x"]))
        .await
        .unwrap();
    assert_eq!(
        stored(&*store, "/config/config/dev/im-repo/db").await,
        r#"["x"]"#
    );
    center.set("app/settings/theme", "dark").await.unwrap();
    assert_eq!(stored(&*store, "/config/app/settings/theme").await, "dark");
    center
        .set("/config/dev/im-gateway/breakers/default.json", &breaker)
        .await
        .unwrap();
    assert_eq!(
        stored(
            &*store,
            "/config/config/dev/im-gateway/breakers/default.json"
        )
        .await,
        r#"{"failureThreshold":5,"successThreshold":2,"openStateTimeout":60000000000}"#
    );
}

pub(super) async fn what_gochat_peers_write_is_read(store: AnyStore) {
    let center = ConfigCenter::new(Arc::clone(&store)).layout(ConfigLayout::Gochat);
    let login = r#"{"rate":5,"capacity":10,"description":""}"#;
    put(
        &*store,
        "/config/config/dev/im-gateway/ratelimit/login",
        login,
    )
    .await;
    let keys = center
        .list("/config/dev/im-gateway/ratelimit")
        .await
        .unwrap();
    assert_eq!(keys, ["config/dev/im-gateway/ratelimit/login"]);
    // What is listed is found, as it is and as Go asks for it.
    for key in [&*keys[0], "/config/dev/im-gateway/ratelimit/login"] {
        assert_eq!(
            center.get::<Rule>(key).await.unwrap().unwrap().value,
            rule(10)
        );
    }
    for timeout in ["60000000000", "\"1m\""] {
        let json = format!(
            r#"{{"failureThreshold":5,"successThreshold":2,"openStateTimeout":{timeout}}}"#
        );
        put(
            &*store,
            "/config/config/dev/svc/breakers/default.json",
            &json,
        )
        .await;
        let read = center
            .get::<Breaker>("/config/dev/svc/breakers/default.json")
            .await;
        assert_eq!(read.unwrap().unwrap().value.open_state_timeout, 60 * SECOND);
    }
}

pub(super) async fn a_stale_revision_is_a_conflict_that_tells_the_present_one(store: AnyStore) {
    let center = ConfigCenter::new(store);
    let first = center.compare_and_set("a", 0, "1").await.unwrap();
    let conflict = |expected, current| ConfigError::Conflict {
        key: "a".to_owned(),
        expected,
        current,
    };
    let again = center.compare_and_set("a", 0, "2").await;
    assert_eq!(again, Err(conflict(0, first)));
    let second = center.compare_and_set("a", first, "2").await.unwrap();
    let stale = center.compare_and_set("a", first, "3").await;
    assert_eq!(stale, Err(conflict(first, second)));
    center.delete("a").await.unwrap();
    let gone = center.compare_and_set("a", second, "3").await;
    assert_eq!(gone, Err(conflict(second, 0)));
    assert_eq!(center.get::<String>("a").await.unwrap(), None);
}

pub(super) async fn ten_incrementers_of_a_hundred_make_a_thousand(store: AnyStore) {
    let center = ConfigCenter::new(store);
    let tasks = (0..10).map(|_| {
        let center = center.clone();
        async move {
            for _ in 0..100 {
                loop {
                    let read = center.get::<u64>("counter").await.unwrap();
                    let (value, revision) = read.map_or((0, 0), |e| (e.value, e.revision));
                    tokio::task::yield_now().await;
                    match center
                        .compare_and_set("counter", revision, &(value + 1))
                        .await
                    {
                        Ok(_) => break,
                        Err(ConfigError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    });
    let mut set = tokio::task::JoinSet::new();
    tasks.for_each(|task| drop(set.spawn(task)));
    set.join_all().await;
    let counter = center.get::<u64>("counter").await.unwrap().unwrap();
    assert_eq!(counter.value, 1_000);
}

pub(super) async fn the_last_of_five_hundred_writes_is_seen_whenever_one_begins(store: AnyStore) {
    let center = ConfigCenter::new(store);
    let writing = async {
        for n in 0..500_u32 {
            center.set("raced/a", &n).await.unwrap();
            // In another service, which is not to be heard here.
            if n % 100 == 0 {
                center.set("raced2/a", &u32::MAX).await.unwrap();
            }
        }
    };
    let following = async |begin: u32| {
        while center
            .get::<u32>("raced/a")
            .await
            .unwrap()
            .is_none_or(|it| it.value < begin)
        {
            tokio::task::yield_now().await;
        }
        let mut watch = center.watch_prefix::<u32>("raced").unwrap();
        let mut handle = center.handle::<u32>("raced/a").await.unwrap();
        let mut last = None;
        while last != Some(499) {
            let event = time::timeout(LONG, watch.next()).await.unwrap();
            let Some(Ok(ConfigEvent::Put(entry))) = event else {
                panic!("{event:?}");
            };
            // Every one from where it began, and none twice.
            assert!(last.is_none_or(|last| entry.value == last + 1));
            last = Some(entry.value);
        }
        while *handle.load() != 499 {
            changed(&mut handle).await;
        }
    };
    let ((), ..) = tokio::join!(
        writing,
        following(0),
        following(100),
        following(250),
        following(499)
    );
}

pub(super) async fn a_prefix_sees_nothing_of_its_siblings(store: AnyStore) {
    let center = ConfigCenter::new(store);
    for key in ["ratelimit/a", "ratelimit/b/c", "ratelimit2/a", "ratelimit"] {
        center.set(key, key).await.unwrap();
    }
    let keys = center.list("ratelimit/").await.unwrap();
    assert_eq!(keys, ["ratelimit/a", "ratelimit/b/c"]);
    let mut watch = center.watch_prefix::<String>("ratelimit").unwrap();
    let mut seen = Vec::new();
    for key in ["ratelimit2/a", "ratelimit", "ratelimit2/z", "ratelimit/z"] {
        center.set(key, "new").await.unwrap();
    }
    while seen.last().is_none_or(|last| last != "ratelimit/z") {
        let event = time::timeout(LONG, watch.next()).await.unwrap();
        let Some(Ok(ConfigEvent::Put(entry))) = event else {
            panic!("{event:?}");
        };
        seen.push(entry.key);
    }
    assert_eq!(seen, ["ratelimit/a", "ratelimit/b/c", "ratelimit/z"]);
}

pub(super) async fn a_handle_of_an_existing_key_keeps_its_last_good_value(store: AnyStore) {
    let center = ConfigCenter::new(Arc::clone(&store));
    center.set("rule", &rule(10)).await.unwrap();
    // A second is what is promised, the rest is for a machine that is busy.
    let handle = center.handle::<Rule>("rule").into_future();
    let mut handle = time::timeout(10 * SECOND, handle).await.unwrap().unwrap();
    assert_eq!(*handle.load(), rule(10));
    put(&*store, "/config/rule", "{").await;
    until(async || handle.errors() == 1).await;
    assert_eq!(*handle.load(), rule(10));
    center.set("rule", &rule(20)).await.unwrap();
    assert_eq!(*changed(&mut handle).await, rule(20));
    assert_eq!(handle.errors(), 1);
    center.delete("rule").await.unwrap();
    time::sleep(50 * MS).await;
    assert_eq!(*handle.load(), rule(20));
}

/// All of the above, for a macro that makes tests of them.
macro_rules! for_each_case {
    ($make:ident) => {
        $make! { config_cases:
            every_value_is_read_back_as_it_was_written,
            gochat_peers_find_what_they_would_write,
            what_gochat_peers_write_is_read,
            a_stale_revision_is_a_conflict_that_tells_the_present_one,
            ten_incrementers_of_a_hundred_make_a_thousand,
            the_last_of_five_hundred_writes_is_seen_whenever_one_begins,
            a_prefix_sees_nothing_of_its_siblings,
            a_handle_of_an_existing_key_keeps_its_last_good_value,
        }
    };
}
pub(super) use for_each_case;
