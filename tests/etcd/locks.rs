//! Locks on etcd: with its own tools, and with processes that die or freeze.

use super::{
    lock_cases,
    over_etcd::{over_etcd, store},
    process::Process,
    support::{AnyStore, LONG, MS, SECOND, Task, in_line, keys, until},
};
use etcd_client::{Client, LockOptions};
use std::{process::Command, sync::Arc, time::Duration};
use tokio::time::{self, Instant};
use ziggurat::coord::{EtcdSettings, EtcdStore, LockGuard, Locks, Loss, TryLockError};
use ziggurat_testkit::{Etcd, EtcdCluster, Proxy};

lock_cases::for_each_case!(over_etcd);

const URL: &str = "ZIGGURAT_TEST_ETCD";
/// Long enough for a machine that is busy to renew in time.
const TTL: Duration = Duration::from_secs(5);

async fn acquired(locks: &Locks) -> LockGuard {
    let acquire = locks.acquire("x").ttl(TTL).into_future();
    time::timeout(LONG, acquire).await.unwrap().unwrap()
}

async fn is_held(locks: &Locks) -> bool {
    matches!(locks.try_acquire("x").await, Err(TryLockError::Held { .. }))
}

#[tokio::test]
async fn etcdctl_and_we_exclude_each_other_both_ways() {
    let etcd = Etcd::start().await;
    let waits = etcd.ctl(&["lock", "/locks/x"]);
    let store = store(&etcd.url()).await;
    let locks = Locks::new(Arc::clone(&store));

    let guard = acquired(&locks).await;
    let mut ctl = Process::start(waits);
    in_line(&*store, "/locks/x/", 2).await;
    assert!(guard.is_held());
    assert_eq!(ctl.said(), [""; 0], "two have it");
    guard.unlock().await.unwrap();
    // It says which key it has it by.
    let key = ctl.line().await.unwrap();
    assert!(key.starts_with("/locks/x/"), "{key}");
    assert_eq!(keys(&*store, "/locks/x/").await[0].0, key);

    assert!(is_held(&locks).await);
    let (ours, asking) = (locks.clone(), Arc::clone(&store));
    let mut waiting = Task::spawn(async move { acquired(&ours).await });
    in_line(&*asking, "/locks/x/", 2).await;
    waiting.waits().await;
    ctl.signal("-INT");
    let guard = waiting.done().await;
    assert!(guard.is_held());
    assert_eq!(keys(&*store, "/locks/x/").await[0].0, guard.key());
}

#[tokio::test]
async fn the_servers_own_lock_and_ours_exclude_each_other_both_ways() {
    let etcd = Etcd::start().await;
    let store = store(&etcd.url()).await;
    let locks = Locks::new(Arc::clone(&store));
    let mut client = Client::connect([etcd.url()], None).await.unwrap();
    let lease = client.lease_grant(60, None).await.unwrap().id();

    let guard = acquired(&locks).await;
    let mut theirs = client.clone();
    let mut waiting = Task::spawn(async move {
        let options = LockOptions::new().with_lease(lease);
        theirs.lock("/locks/x", Some(options)).await.unwrap()
    });
    in_line(&*store, "/locks/x/", 2).await;
    waiting.waits().await;
    assert!(guard.is_held());
    guard.unlock().await.unwrap();
    let locked = waiting.done().await;
    assert_eq!(locked.key(), format!("/locks/x/{lease:x}").as_bytes());

    assert!(is_held(&locks).await);
    let ours = locks.clone();
    let mut waiting = Task::spawn(async move { acquired(&ours).await });
    in_line(&*store, "/locks/x/", 2).await;
    waiting.waits().await;
    client.unlock(locked.key()).await.unwrap();
    let guard = waiting.done().await;
    assert!(guard.is_held());
}

#[tokio::test]
async fn cut_off_from_etcd_it_is_lost_before_anybody_else_has_it() {
    let etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let (near, far) = (store(&etcd.url()).await, store(&proxy.url()).await);
    let (locks, others) = (Locks::new(far), Locks::new(Arc::clone(&near)));
    let guard = acquired(&locks).await;
    proxy.lose(true);
    // By then it knows, whoever was polled first: its clock says so.
    let next = acquired(&others).await;
    assert!(!guard.is_held());
    let lost = time::timeout(LONG, guard.lost()).await.unwrap();
    assert_eq!(lost.loss(), Loss::Expired);
    assert!(guard.run(async {}).await.is_err());
    assert!(next.token() > guard.token());
    proxy.lose(false);
    assert!(guard.unlock().await.is_err());
    assert!(next.is_held());
    assert_eq!(keys(&*near, "/locks/x/").await[0].0, next.key());
}

#[tokio::test]
async fn unlocked_while_etcd_is_down_it_says_so_and_is_free_after_its_lease() {
    let mut etcd = Etcd::start().await;
    let locks = Locks::new(store(&etcd.url()).await);
    let guard = acquired(&locks).await;
    let (token, lost) = (guard.token(), guard.lost());
    etcd.kill();
    assert!(guard.unlock().await.unwrap_err().is_transient());
    assert_eq!(lost.await.loss(), Loss::Released);
    etcd.restart().await;
    assert!(acquired(&locks).await.token() > token);
}

#[tokio::test]
async fn a_restarted_etcd_finds_the_lock_held_and_the_waiter_waiting() {
    let mut etcd = Etcd::start().await;
    let store = store(&etcd.url()).await;
    let locks = Locks::new(Arc::clone(&store));
    let guard = locks.acquire("x").ttl(LONG).await.unwrap();
    let ours = locks.clone();
    let mut waiting = Task::spawn(async move { ours.acquire("x").ttl(LONG).await.unwrap() });
    in_line(&*store, "/locks/x/", 2).await;
    etcd.kill();
    etcd.restart().await;
    until(async || is_held(&locks).await).await;
    waiting.waits().await;
    assert!(guard.is_held());
    let token = guard.token();
    guard.unlock().await.unwrap();
    let next = waiting.done().await;
    assert!(next.token() > token);
}

#[tokio::test]
async fn a_cluster_that_loses_its_leader_takes_no_lock_away() {
    let mut cluster = EtcdCluster::start(3).await;
    let settings = EtcdSettings::new(cluster.urls()).unwrap();
    let settings = settings.try_timeout(SECOND).unwrap();
    let store: AnyStore = Arc::new(EtcdStore::connect(settings).await.unwrap());
    let locks = Locks::new(Arc::clone(&store));
    let guard = locks.acquire("x").ttl(LONG).await.unwrap();
    let ours = locks.clone();
    let mut waiting = Task::spawn(async move { ours.acquire("x").ttl(LONG).await.unwrap() });
    in_line(&*store, "/locks/x/", 2).await;
    let leader = cluster.leader().await;
    cluster.members[leader].kill();
    waiting.waits().await;
    until(async || is_held(&locks).await).await;
    assert!(guard.is_held());
    let token = guard.token();
    let _nobody_knows_whether = guard.unlock().await;
    assert!(waiting.done().await.token() > token);
}

/// Not a test of its own: what [`holder`] runs.
#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
async fn a_process_that_holds_the_lock() {
    let Ok(url) = std::env::var(URL) else { return };
    let guard = acquired(&Locks::new(store(&url).await)).await;
    println!("\ntoken {}", guard.token());
    // A thread, as work is that no runtime can take away.
    let tenure = guard.tenure();
    let working = tokio::task::spawn_blocking(move || {
        while tenure.is_held() {
            println!("held");
            std::thread::park_timeout(10 * MS);
        }
    });
    let lost = guard.lost().await;
    working.await.unwrap();
    println!("lost {:?}", lost.loss());
}

/// Another process that has the lock, and its token.
async fn holder(etcd: &Etcd) -> (Process, i64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "etcd::locks::a_process_that_holds_the_lock";
    command.args(["--ignored", "--exact", "--nocapture", name]);
    let mut process = Process::start({
        command.env(URL, etcd.url());
        command
    });
    loop {
        let line = process.line().await.unwrap();
        if let Some(token) = line.strip_prefix("token ") {
            return (process, token.parse().unwrap());
        }
    }
}

#[tokio::test]
async fn after_a_crash_the_next_one_has_it_when_the_lease_ends() {
    let etcd = Etcd::start().await;
    let locks = Locks::new(store(&etcd.url()).await);
    let (mut holder, token) = holder(&etcd).await;
    assert!(is_held(&locks).await);
    holder.kill();
    let begun = Instant::now();
    let guard = acquired(&locks).await;
    println!("taken over after {:?}", begun.elapsed());
    // A second more than its time is what is promised, the rest is for a machine that is busy.
    assert!(begun.elapsed() <= TTL + SECOND + 10 * SECOND);
    assert!(guard.token() > token);
}

#[tokio::test]
async fn a_frozen_process_finds_its_lock_lost_as_soon_as_it_goes_on() {
    let etcd = Etcd::start().await;
    let locks = Locks::new(store(&etcd.url()).await);
    let (mut holder, token) = holder(&etcd).await;
    holder.signal("-STOP");
    let guard = acquired(&locks).await;
    assert!(guard.token() > token);
    // What it said before it was stopped.
    let before = holder.said();
    assert!(before.iter().all(|line| line == "held"));
    holder.signal("-CONT");
    let mut after = Vec::new();
    while let Some(line) = holder.line().await {
        after.push(line);
    }
    // Once it may have been stopped right between asking and saying: that is what tokens are for.
    let held = after.iter().filter(|line| *line == "held").count();
    assert!(held <= 1, "{after:?}");
    assert!(
        after.iter().any(|line| line.starts_with("lost ")),
        "{after:?}"
    );
    assert!(guard.is_held());
}
