//! The store on etcd does what every store must: each case has a server of its own.

use super::support::put;
use std::sync::Arc;
use ziggurat::coord::{
    EtcdSettings, EtcdStore, Range, Store,
    conformance::{Case, Scripts},
};
use ziggurat_testkit::Etcd;

/// Those that take no time, and are about keys.
const INSIDE: [&str; 10] = [
    "a_transaction_takes_one_branch_at_one_revision",
    "only_one_of_many_creates_a_key",
    "a_comparison_is_of_what_it_names",
    "the_past_is_read_at_its_revision",
    "a_range_is_filtered_sorted_and_cut",
    "a_watch_from_the_past_delivers_everything_once",
    "a_watch_sees_only_its_keys",
    "events_hold_what_was_before_if_asked",
    "a_lease_that_is_gone_is_named",
    "what_makes_no_sense_is_refused",
];

ziggurat::store_conformance! {
    #[tokio::test]
    |case| {
        let etcd = Etcd::start().await;
        case.run(Arc::new(connect(&etcd).await)).await;
    }
}

#[tokio::test]
async fn random_scripts_end_as_the_model_says() {
    let etcd = Etcd::start().await;
    Scripts::new(1).play(&connect(&etcd).await).await;
}

#[tokio::test]
async fn a_namespace_is_a_store_of_its_own() {
    let etcd = Etcd::start().await;
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    let whole = EtcdStore::connect(settings.clone()).await.unwrap();
    // What is next to it, on both sides.
    for key in ["ns", "ns.", "ns0", "t/a", "zz"] {
        put(&whole, key, "").await;
    }
    let inside = EtcdStore::connect(settings.namespace("ns/")).await.unwrap();
    let all = inside.range(Range::prefix("")).await.unwrap();
    assert_eq!((all.count, all.kvs), (0, vec![]));
    let store: Arc<dyn Store> = Arc::new(inside);
    for name in INSIDE {
        Case::named(name).run(Arc::clone(&store)).await;
    }
    let written = whole.range(Range::prefix("ns/t/")).await.unwrap();
    assert_eq!(written.kvs[0].key, "ns/t/a");
    assert_eq!(whole.range(Range::one("t/a")).await.unwrap().count, 1);
    assert_eq!(whole.range(Range::one("t/b")).await.unwrap().count, 0);
}

async fn connect(etcd: &Etcd) -> EtcdStore {
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    EtcdStore::connect(settings).await.unwrap()
}
