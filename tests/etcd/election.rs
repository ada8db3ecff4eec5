//! Elections on etcd, with its own tools among the candidates.

use super::{
    election_cases,
    over_etcd::{over_etcd, store},
    process::Process,
    support::{LONG, Task, in_line},
};
use bytes::Bytes;
use etcd_client::{Client, ResignOptions};
use futures_util::{StreamExt, stream::BoxStream};
use std::sync::Arc;
use tokio::time;
use ziggurat::coord::{Election, Leader};
use ziggurat_testkit::Etcd;

election_cases::for_each_case!(over_etcd);

async fn seen(leaders: &mut BoxStream<'static, Option<Leader>>) -> Option<Bytes> {
    let leader = time::timeout(LONG, leaders.next()).await.unwrap();
    leader.unwrap().map(|leader| leader.value)
}

#[tokio::test]
async fn etcdctl_and_we_lead_one_after_the_other_and_see_each_other() {
    let etcd = Etcd::start().await;
    let elect = etcd.ctl(&["elect", "/elections/e", "theirs"]);
    let store = store(&etcd.url()).await;
    let election = Election::new(Arc::clone(&store), "e").unwrap();
    let mut leaders = election.observe();
    assert_eq!(seen(&mut leaders).await, None);

    let ours = election.campaign("ours").await.unwrap();
    assert_eq!(seen(&mut leaders).await.unwrap(), "ours");
    let listens = etcd.ctl(&["elect", "--listen", "/elections/e"]);
    let mut listens = Process::start(listens);
    assert_eq!(listens.line().await.unwrap(), ours.key());
    assert_eq!(listens.line().await.unwrap(), "ours");
    let mut candidate = Process::start(elect);
    in_line(&*store, "/elections/e/", 2).await;
    assert_eq!(candidate.said(), [""; 0], "two lead");
    ours.resign().await.unwrap();
    let key = candidate.line().await.unwrap();
    assert_eq!(candidate.line().await.unwrap(), "theirs");
    assert_eq!(listens.line().await.unwrap(), key);
    assert_eq!(seen(&mut leaders).await.unwrap(), "theirs");
    assert_eq!(election.leader().await.unwrap().unwrap().key, key);

    let again = election.clone();
    let mut waiting = Task::spawn(async move { again.campaign("again").await.unwrap() });
    in_line(&*store, "/elections/e/", 2).await;
    waiting.waits().await;
    candidate.signal("-INT");
    let again = waiting.done().await;
    assert!(again.is_held());
    assert_eq!(seen(&mut leaders).await.unwrap(), "again");
}

#[tokio::test]
async fn the_servers_own_election_is_ours() {
    let etcd = Etcd::start().await;
    let store = store(&etcd.url()).await;
    let election = Election::new(Arc::clone(&store), "e").unwrap();
    let mut client = Client::connect([etcd.url()], None).await.unwrap();
    let lease = client.lease_grant(60, None).await.unwrap().id();

    let ours = election.campaign("ours").await.unwrap();
    let told = client.leader("/elections/e").await.unwrap();
    assert_eq!(told.kv().unwrap().value(), b"ours");
    assert_eq!(told.kv().unwrap().create_revision(), ours.token());
    let mut theirs = client.clone();
    let mut waiting =
        Task::spawn(async move { theirs.campaign("/elections/e", "theirs", lease).await });
    in_line(&*store, "/elections/e/", 2).await;
    waiting.waits().await;
    ours.resign().await.unwrap();
    let campaigned = waiting.done().await.unwrap();
    let leader = election.leader().await.unwrap().unwrap();
    assert_eq!((&*leader.value, leader.lease.0), (&b"theirs"[..], lease));
    assert_eq!(leader.token, campaigned.leader().unwrap().rev());

    let again = election.clone();
    let mut waiting = Task::spawn(async move { again.campaign("again").await.unwrap() });
    in_line(&*store, "/elections/e/", 2).await;
    waiting.waits().await;
    let leader = campaigned.leader().unwrap().clone();
    let resign = ResignOptions::new().with_leader(leader);
    client.resign(Some(resign)).await.unwrap();
    let again = waiting.done().await;
    assert!(again.is_held());
}
