//! Following a name.

use super::support::{Restored, Spy, put};
use futures_util::{FutureExt, StreamExt, future::join_all};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    time::{self, Instant},
};
use ziggurat::coord::{Delete, KeyLayout, MemoryStore, Put, Registry, Store, StoreError};
use ziggurat_core::{Change, Changes, Dice, Instance, Resolve, error};

const SECOND: Duration = Duration::from_secs(1);

/// What one who follows a name believes, told change by change.
#[derive(Default)]
struct Belief(BTreeMap<String, Instance>);

impl Belief {
    fn apply(&mut self, change: Change) {
        match change {
            Change::All(all) => {
                assert!(all.is_sorted_by(|a, b| a.id() < b.id()));
                let all = all
                    .into_iter()
                    .map(|one| (one.id().to_string(), (*one).clone()));
                self.0 = all.collect();
            }
            Change::Put(one) => {
                let id = one.id().to_string();
                let told = self.0.insert(id, (*one).clone());
                assert_ne!(
                    told.as_ref(),
                    Some(&*one),
                    "an unchanged instance was told again"
                );
            }
            Change::Current => {}
            Change::Remove(id) | Change::Left(id) => {
                assert!(self.0.remove(id.as_str()).is_some(), "{id} was not there");
            }
            other => panic!("{other:?}"),
        }
    }

    fn instances(self) -> Vec<Instance> {
        self.0.into_values().collect()
    }
}

fn spied() -> (Arc<Spy>, Registry) {
    let spy = Arc::new(Spy::default());
    let store: Arc<dyn Store> = Arc::clone(&spy) as _;
    (spy, Registry::new(store).dice(Dice::seeded(1)))
}

fn entry(port: u16) -> String {
    format!(r#"{{"Op":0,"Addr":"10.0.0.1:{port}","Metadata":null}}"#)
}

async fn next(changes: &mut Changes) -> Change {
    let change = time::timeout(60 * SECOND, changes.next()).await;
    change.expect("a change comes").unwrap().unwrap()
}

/// The changes at hand once all is quiet, as text.
async fn quiet(changes: &mut Changes) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(change) = time::timeout(10 * SECOND, changes.next()).await {
        seen.push(match change.unwrap() {
            Ok(Change::All(all)) => format!("={}", all.len()),
            Ok(Change::Put(one)) => format!("+{}:{}", one.id(), one.port()),
            Ok(Change::Remove(id)) => format!("-{id}"),
            Ok(Change::Left(id)) => format!("bye {id}"),
            Ok(Change::Current) => ".".to_owned(),
            Ok(other) => panic!("{other:?}"),
            Err(_) => "!".to_owned(),
        });
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_follower_is_told_all_and_then_what_changes() {
    let (spy, registry) = spied();
    put(&*spy, "echo/b", &entry(2)).await;
    put(&*spy, "echo/a", &entry(1)).await;
    put(&*spy, "echoes/c", &entry(3)).await;
    let mut changes = registry.resolve("echo");
    let Change::All(all) = next(&mut changes).await else {
        panic!("no snapshot");
    };
    let ids: Vec<_> = all.iter().map(|one| one.id().as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    put(&*spy, "echo/c", &entry(3)).await;
    assert_eq!(quiet(&mut changes).await, ["+c:3"]);
    put(&*spy, "echo/c", &entry(4)).await;
    spy.store.delete(Delete::one("echo/a")).await.unwrap();
    assert_eq!(quiet(&mut changes).await, ["+c:4", "-a"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_service_is_told_at_once() {
    let mut changes = Registry::memory().resolve("nobody");
    assert_eq!(next(&mut changes).await, Change::All(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_instance_causes_no_event() {
    let (spy, registry) = spied();
    put(&*spy, "echo/a", &entry(1)).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=1"]);
    for _ in 0..3 {
        put(&*spy, "echo/a", &entry(1)).await;
    }
    put(&*spy, "echo/a", r#"{"Addr":"10.0.0.1:1"}"#).await;
    assert_eq!(quiet(&mut changes).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_followers_share_one_watch_and_leave_no_task() {
    let (spy, registry) = spied();
    put(&*spy, "echo/a", &entry(1)).await;
    let mut followers: Vec<_> = (0..100).map(|_| registry.clone().resolve("echo")).collect();
    assert_eq!(
        (spy.opened(), Handle::current().metrics().num_alive_tasks()),
        (0, 0)
    );
    let told = join_all(followers.iter_mut().map(next)).await;
    assert!(
        told.iter()
            .all(|change| matches!(change, Change::All(all) if all.len() == 1))
    );
    let mut other = registry.resolve("other");
    next(&mut other).await;
    time::sleep(SECOND).await;
    assert_eq!((spy.opened(), spy.open()), (2, 2));
    drop(other);

    put(&*spy, "echo/b", &entry(2)).await;
    join_all(followers.iter_mut().map(next)).await;
    followers.truncate(1);
    put(&*spy, "echo/c", &entry(2)).await;
    next(&mut followers[0]).await;
    drop(followers);
    time::sleep(SECOND).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert_eq!((spy.opened(), spy.open(), tasks), (2, 0, 0));
    assert!(
        !format!("{registry:?}").contains("echo"),
        "a name is remembered"
    );

    next(&mut registry.resolve("echo")).await;
    time::sleep(SECOND).await;
    assert_eq!(spy.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_instances_outlive_an_outage() {
    let (spy, registry) = spied();
    put(&*spy, "echo/a", &entry(1)).await;
    put(&*spy, "echo/b", &entry(2)).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=2"]);
    spy.store.set_available(false);
    spy.store.break_watches();
    time::sleep(600 * SECOND).await;
    // Trouble is told once; what is known stands, also for those who come late.
    assert_eq!(quiet(&mut changes).await, ["!"]);
    assert_eq!(quiet(&mut registry.resolve("echo")).await, ["=2", "!"]);

    spy.store.set_available(true);
    let begun = Instant::now();
    spy.store.delete(Delete::one("echo/a")).await.unwrap();
    put(&*spy, "echo/c", &entry(3)).await;
    assert_eq!(
        next(&mut changes).await,
        Change::Put(registry.list("echo").await.unwrap().pop().unwrap().into())
    );
    assert!(begun.elapsed() <= SECOND, "{:?}", begun.elapsed());
    assert_eq!(quiet(&mut changes).await, ["-a"]);
    assert_eq!(quiet(&mut registry.resolve("echo")).await, ["=2"]);

    // A watch that breaks in peace is trouble for a moment, though nothing changes after it.
    spy.store.break_watches();
    assert_eq!(quiet(&mut changes).await, ["!", "."]);
    assert_eq!(quiet(&mut registry.resolve("echo")).await, ["=2"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_after_the_last_revision_it_delivered() {
    let (spy, registry) = spied();
    let listed = put(&*spy, "echo/a", &entry(1)).await;
    let mut changes = registry.resolve("echo");
    quiet(&mut changes).await;
    let last = put(&*spy, "echo/a", &entry(2)).await;
    assert_eq!(quiet(&mut changes).await, ["+a:2"]);
    put(&*spy, "other/a", &entry(1)).await;
    spy.store.break_watches();
    quiet(&mut changes).await;
    assert_eq!(*spy.opened.lock().unwrap(), [listed + 1, last + 1]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_died_is_gone_when_its_lease_ends() {
    let (spy, registry) = spied();
    let lease = spy.store.grant(2 * SECOND).await.unwrap().id;
    spy.store
        .put(Put::new("echo/a", entry(1)).lease(lease))
        .await
        .unwrap();
    let mut changes = registry.resolve("echo");
    assert!(matches!(next(&mut changes).await, Change::All(all) if all.len() == 1));
    let begun = Instant::now();
    assert!(matches!(next(&mut changes).await, Change::Remove(_)));
    assert!(
        begun.elapsed() <= 2 * SECOND + SECOND / 100,
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_comes_during_an_outage_is_told_when_it_is_over() {
    let (spy, registry) = spied();
    put(&*spy, "echo/a", &entry(1)).await;
    spy.hang(true);
    let mut changes = registry.resolve("echo");
    time::sleep(SECOND).await;
    assert_eq!(quiet(&mut changes).await, ["!"]);
    spy.hang(false);
    assert_eq!(quiet(&mut changes).await, ["=1"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_compaction_only_the_difference_is_told() {
    let (spy, registry) = spied();
    for (id, port) in [("a", 1), ("b", 2), ("c", 3)] {
        put(&*spy, &format!("echo/{id}"), &entry(port)).await;
    }
    let mut changes = registry.resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=3"]);
    spy.store.set_available(false);
    spy.store.break_watches();
    quiet(&mut changes).await;
    spy.store.set_available(true);
    put(&*spy, "echo/a", &entry(1)).await;
    spy.store.delete(Delete::one("echo/b")).await.unwrap();
    put(&*spy, "echo/c", &entry(4)).await;
    let last = put(&*spy, "echo/d", &entry(5)).await;
    spy.store.compact(last).unwrap();
    assert_eq!(quiet(&mut changes).await, ["+c:4", "+d:5", "-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_restored_from_a_backup_is_read_anew() {
    let store = Arc::new(Restored::default());
    for port in 1..9 {
        put(&store.before, "echo/a", &entry(port)).await;
    }
    put(&store.after, "echo/b", &entry(1)).await;
    let mut changes = Registry::new(Arc::clone(&store) as _).resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=1"]);
    store.restored.store(true, SeqCst);
    store.before.break_watches();
    assert_eq!(quiet(&mut changes).await, ["!", "+b:1", "-a"]);
    put(&store.after, "echo/c", &entry(1)).await;
    assert_eq!(quiet(&mut changes).await, ["+c:1"]);
}

#[tokio::test(start_paused = true)]
async fn another_store_with_more_revisions_is_read_anew_as_well() {
    let store = Arc::new(Restored::default());
    store.counts.store(true, SeqCst);
    put(&store.before, "echo/a", &entry(1)).await;
    let mut changes = Registry::new(Arc::clone(&store) as _).resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=1"]);
    for port in 1..9 {
        put(&store.after, "echo/b", &entry(port)).await;
    }
    store.restored.store(true, SeqCst);
    store.before.break_watches();
    assert_eq!(quiet(&mut changes).await, ["!", "+b:8", "-a"]);
    put(&store.after, "echo/c", &entry(1)).await;
    assert_eq!(quiet(&mut changes).await, ["+c:1"]);
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_skipped_and_counted_and_drops_nobody() {
    let (spy, registry) = spied();
    put(&*spy, "echo/a", &entry(1)).await;
    put(&*spy, "echo/bad", "{").await;
    put(&*spy, "echo/deeper/x", &entry(9)).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(quiet(&mut changes).await, ["=1"]);
    assert_eq!(registry.skipped(), 1);
    // Nonsense over a good entry does not take the instance away; deleting it does.
    put(&*spy, "echo/a", "nonsense").await;
    put(&*spy, "echo/\u{7f}", &entry(2)).await;
    put(&*spy, "echo/b", &entry(2)).await;
    assert_eq!(quiet(&mut changes).await, ["+b:2"]);
    assert_eq!(registry.skipped(), 3);
    spy.store.delete(Delete::one("echo/a")).await.unwrap();
    spy.store.delete(Delete::one("echo/bad")).await.unwrap();
    assert_eq!(quiet(&mut changes).await, ["-a"]);
    assert_eq!(registry.list("echo").await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leaves_its_prefix_is_an_error_that_says_so() {
    let registry = Registry::memory();
    for name in ["", "..", "a//b"] {
        let listed = registry.list(name).await.unwrap_err();
        let mut changes = registry.resolve(name);
        let followed = changes.next().await.unwrap().unwrap_err();
        assert_eq!(error::find::<StoreError>(&*followed), Some(&listed));
        assert!(changes.next().await.is_none());
        let StoreError::InvalidArgument { field, value, .. } = listed else {
            panic!("{listed}");
        };
        assert_eq!((field, &*value), ("service", name));
    }
}

#[test]
fn a_follower_outlives_the_runtime_it_began_on() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let store = MemoryStore::new();
    let registry = Registry::new(Arc::new(store.clone())).layout(KeyLayout::Naming);
    let mut changes = registry.resolve("echo");
    assert!(
        changes.next().now_or_never().unwrap().unwrap().is_err(),
        "no runtime, no feed"
    );
    assert_eq!(
        registry.list("echo").now_or_never().unwrap(),
        Ok(Vec::new())
    );
    let mut changes = registry.resolve("echo");
    runtime().block_on(next(&mut changes));
    runtime().block_on(async {
        put(&store, "echo/a", &entry(1)).await;
        assert!(matches!(next(&mut changes).await, Change::Put(_)));
    });
}

#[tokio::test(start_paused = true)]
async fn storms_raced_with_following_end_as_listed() {
    for seed in 0..100 {
        println!("seed {seed}");
        storm(Dice::seeded(seed)).await;
    }
}

/// 200 changes, while one follows from somewhere in the middle of them.
async fn storm(dice: Dice) {
    let (spy, registry) = spied();
    let begin = dice.below(150);
    let compaction = begin + dice.below(50);
    let mut followers = Vec::new();
    for n in 0..200 {
        let key = format!("echo/{}", dice.below(20));
        if dice.below(3) == 0 {
            spy.store.delete(Delete::one(key)).await.unwrap();
        } else {
            put(&*spy, &key, &entry(1 + dice.below(3) as u16)).await;
        }
        if n == begin {
            followers.push((registry.resolve("echo"), Belief::default()));
        }
        if n == compaction {
            spy.store.break_watches();
            spy.store
                .compact(super::support::revision(&*spy).await)
                .unwrap();
        }
        if dice.below(20) == 0 {
            spy.store.break_watches();
        }
        if dice.below(4) == 0 {
            time::sleep(dice.duration(Duration::ZERO..SECOND)).await;
        }
        for (changes, belief) in &mut followers {
            if dice.below(2) == 0 {
                while let Some(Some(Ok(change))) = changes.next().now_or_never() {
                    belief.apply(change);
                }
            }
        }
    }
    let listed = registry.list("echo").await.unwrap();
    for (mut changes, mut belief) in followers {
        while let Ok(change) = time::timeout(5 * SECOND, changes.next()).await {
            if let Ok(change) = change.unwrap() {
                belief.apply(change);
            }
        }
        assert_eq!(belief.instances(), listed);
    }
}
