//! One who follows, and what the tests of the registry share.

use futures_util::StreamExt;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time;
use ziggurat::coord::{EtcdSettings, EtcdStore, Registry};
use ziggurat_core::{Change, Changes, Instance, Resolve};

pub(super) const LONG: Duration = Duration::from_secs(30);

/// One who follows a service and knows who is there.
pub(super) struct Follower {
    changes: Changes,
    pub(super) known: BTreeMap<String, Arc<Instance>>,
    pub(super) applied: usize,
    pub(super) troubles: usize,
    pub(super) goodbyes: usize,
}

impl Follower {
    pub(super) fn of(registry: &Registry) -> Self {
        Self {
            changes: registry.resolve("echo"),
            known: BTreeMap::new(),
            applied: 0,
            troubles: 0,
            goodbyes: 0,
        }
    }

    pub(super) async fn next(&mut self) {
        let change = time::timeout(LONG, self.changes.next()).await;
        let change = change.expect("a change comes").unwrap();
        self.applied += 1;
        match change {
            Ok(Change::All(all)) => {
                let all = all.into_iter();
                self.known = all.map(|it| (it.id().to_string(), it)).collect();
            }
            Ok(Change::Put(one)) => {
                self.known.insert(one.id().to_string(), one);
            }
            Ok(Change::Remove(id)) => {
                self.known.remove(&id.to_string());
            }
            Ok(Change::Left(id)) => {
                self.known.remove(&id.to_string());
                self.goodbyes += 1;
            }
            Ok(Change::Current) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => self.troubles += 1,
        }
    }

    pub(super) async fn until(&mut self, ids: &[&str]) {
        while !self.known.keys().eq(ids) {
            self.next().await;
        }
    }
}

pub(super) async fn store(url: String) -> Arc<EtcdStore> {
    let settings = EtcdSettings::new([url]).unwrap();
    let settings = settings.try_timeout(Duration::from_secs(1)).unwrap();
    let settings = settings.silence(Duration::from_secs(1)).unwrap();
    Arc::new(EtcdStore::connect(settings).await.unwrap())
}

pub(super) fn echo(id: &str) -> Instance {
    Instance::new("echo", id, "10.0.0.1", 80).unwrap()
}
