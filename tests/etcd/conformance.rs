//! The cases that every store must pass, over etcd: each has a server of its own.

use super::{cases, support::put};
use std::sync::Arc;
use ziggurat::coord::{EtcdSettings, EtcdStore, Range, Store};
use ziggurat_testkit::Etcd;

macro_rules! conformance {
    ($($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let etcd = Etcd::start().await;
                let settings = EtcdSettings::new([etcd.url()]).unwrap();
                let store: Arc<dyn Store> = Arc::new(EtcdStore::connect(settings).await.unwrap());
                cases::$case(store).await;
            }
        )*
    };
}

cases::for_each_case!(conformance);

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
    cases::a_transaction_takes_one_branch_at_one_revision(Arc::clone(&store)).await;
    cases::only_one_of_many_creates_a_key(Arc::clone(&store)).await;
    cases::the_past_is_read_at_its_revision(Arc::clone(&store)).await;
    cases::a_watch_from_the_past_delivers_everything_once(Arc::clone(&store)).await;
    cases::a_watch_sees_only_its_keys(Arc::clone(&store)).await;
    cases::events_hold_what_was_before_if_asked(Arc::clone(&store)).await;
    cases::a_lease_that_is_gone_is_named(Arc::clone(&store)).await;
    cases::what_makes_no_sense_is_refused(Arc::clone(&store)).await;
    let written = whole.range(Range::prefix("ns/t/")).await.unwrap();
    assert_eq!(written.kvs[0].key, "ns/t/a");
    assert_eq!(whole.range(Range::one("t/a")).await.unwrap().count, 1);
    assert_eq!(whole.range(Range::one("t/b")).await.unwrap().count, 0);
}
