//! The etcd client itself over a channel of ours: discovery of its members, balancing, retries.

use etcd_client::{Channel as Way, Client, Compare, CompareOp, PutOptions, Txn, TxnOp};
use std::time::Duration;
use tokio::time;
use tonic::body::Body;
use tower::{ServiceExt, util::BoxCloneSyncService};
use ziggurat::{
    client::{Channel, ChannelSettings, Ziggurat},
    core::Instance,
    deadline,
    discover::Fixed,
};
use ziggurat_testkit::{Etcd, EtcdCluster, RefusingAddress};

const LONG: Duration = Duration::from_secs(20);

/// The members, by address, as a service of their own.
fn channel(members: impl IntoIterator<Item = String>) -> Channel {
    let instances = members.into_iter().map(|url| {
        let address = url.trim_start_matches("http://").parse().unwrap();
        Instance::at("etcd", address).unwrap()
    });
    // A watch lives as long as it is watched.
    let day = deadline::Settings::new(Duration::from_secs(86_400)).unwrap();
    let settings = ChannelSettings::new().deadline(day);
    let ziggurat = Ziggurat::new(Fixed::new(instances)).settings(settings);
    ziggurat.channel("etcd")
}

async fn client(channel: Channel) -> Client {
    let channel = channel.map_response(|answer| answer.map(Body::new));
    let way = Way::Custom(BoxCloneSyncService::new(channel));
    Client::from_channel(way, None).await.unwrap()
}

#[tokio::test]
async fn an_etcd_client_asks_watches_and_leases_over_a_channel_of_ours() {
    let etcd = Etcd::start().await;
    let mut client = client(channel([etcd.url()])).await;
    let mut watch = client.watch("a", None).await.unwrap();
    assert!(watch.message().await.unwrap().unwrap().created());

    let lease = client.lease_grant(60, None).await.unwrap().id();
    let leased = PutOptions::new().with_lease(lease);
    client.put("a", "1", Some(leased)).await.unwrap();
    let told = watch.message().await.unwrap().unwrap();
    assert_eq!(told.events()[0].kv().unwrap().value(), b"1");

    let (mut keeper, mut kept) = client.lease_keep_alive(lease).await.unwrap();
    keeper.keep_alive().await.unwrap();
    assert!(kept.message().await.unwrap().unwrap().ttl() > 0);

    let is_one = [Compare::value("a", CompareOp::Equal, "1")];
    let txn = Txn::new()
        .when(is_one)
        .and_then([TxnOp::put("a", "2", None)]);
    assert!(client.txn(txn).await.unwrap().succeeded());
    let got = client.get("a", None).await.unwrap();
    assert_eq!(got.kvs()[0].value(), b"2");
}

#[tokio::test]
async fn an_etcd_client_over_a_channel_of_ours_survives_the_loss_of_a_member() {
    let mut cluster = EtcdCluster::start(3).await;
    let nobody = RefusingAddress::new();
    let refusing = format!("http://{}", nobody.address());
    let urls = cluster.members.iter().map(Etcd::url);
    let mut client = client(channel(urls.chain([refusing]))).await;
    for n in 0..20 {
        client.put("a", n.to_string(), None).await.unwrap();
    }
    cluster.members[0].kill();
    // A new leader may have to be found; a dead member is not asked for long.
    let written = async { while client.put("a", "after", None).await.is_err() {} };
    time::timeout(LONG, written).await.unwrap();
    for _ in 0..20 {
        client.get("a", None).await.unwrap();
    }
}
