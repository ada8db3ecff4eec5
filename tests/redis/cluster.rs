//! A node of a cluster: it serves the keys of its slots, and no others.

use super::support::*;
use std::time::Duration;
use ziggurat::quota::{OnOutage, RedisQuota};
use ziggurat_testkit::RedisServer;

#[tokio::test]
async fn a_hash_tag_keeps_all_keys_on_one_node_and_without_it_the_policy_decides() {
    let cluster = ["--cluster-enabled", "yes"];
    let partial = ["--cluster-require-full-coverage", "no"];
    let server = RedisServer::start_with(&[cluster, partial].concat()).await;
    let mut node = look(&server).await;
    let slot: u64 = ask(&mut node, &["CLUSTER", "KEYSLOT", "limits"]).await;
    let slot = slot.to_string();
    let () = ask(&mut node, &["CLUSTER", "ADDSLOTS", &slot]).await;
    eventually("the node serves its slot", async || {
        let info: String = ask(&mut node, &["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:ok")
    })
    .await;

    let open = || {
        let quota = RedisQuota::open(&server.url(), OnOutage::Closed).unwrap();
        quota.timeout(Duration::from_secs(10)).unwrap()
    };
    let tagged = open().prefix("{limits}").unwrap();
    let limiter_of = |quota: &RedisQuota| limiter(quota, burst_only(2));
    for key in ["a", "b", "c", "d"] {
        let admitted = admitted(&limiter_of(&tagged), key, 4).await;
        assert_eq!(admitted, 2, "{key}");
    }
    let untagged = open();
    assert!(call(&limiter_of(&untagged), "a").await.is_err());
    assert!(tagged.is_reachable());
}
