//! Making tests of the cases that every store must pass: each has a server of its own.

use super::support::{AnyStore, SECOND};
use std::sync::Arc;
use ziggurat::coord::{EtcdSettings, EtcdStore};

/// A store on this server.
pub(super) async fn store(url: &str) -> AnyStore {
    let settings = EtcdSettings::new([url]).unwrap();
    let settings = settings.try_timeout(SECOND).unwrap();
    Arc::new(EtcdStore::connect(settings).await.unwrap())
}

macro_rules! over_etcd {
    ($cases:ident: $($case:ident,)*) => {
        mod over_etcd {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let etcd = Etcd::start().await;
                    $cases::$case(store(&etcd.url()).await).await;
                }
            )*
        }
    };
}
pub(super) use over_etcd;
