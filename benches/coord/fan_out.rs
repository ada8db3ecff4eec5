//! A thousand who follow one name: the watches that they cost, and when the last has heard.

use super::stores::{self, Place, median};
use futures_util::{StreamExt, stream::BoxStream};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{sync::Notify, task::JoinSet};
use ziggurat::coord::{Keys, Range, Registry, Store, Watch, conformance::Watched};
use ziggurat_benches::{Figure, Figures, Stopwatch};
use ziggurat_core::Resolve;

const FOLLOWERS: usize = 1_000;
const SERVICE: &str = "users";

pub(crate) fn rows(figures: &mut Figures) {
    let rounds = figures.pace(31, 2) as u32;
    stores::runtime().block_on(async {
        for place in stores::places().await {
            let rows = one_place(&place, rounds).await;
            let title = format!("fan-out over {}, 1,000 who follow one name", place.name);
            figures.show(&title, rows);
        }
    });
}

/// Those who follow, each in a task of its own as in a service, and who tell when they have heard.
struct Crowd {
    tasks: JoinSet<()>,
    heard: Arc<(AtomicUsize, Notify)>,
}

// === impl Crowd ===

impl Crowd {
    fn new(follow: impl Fn() -> BoxStream<'static, ()>) -> Self {
        let heard = Arc::new((AtomicUsize::new(0), Notify::new()));
        let mut tasks = JoinSet::new();
        for _ in 0..FOLLOWERS {
            let (mut news, heard) = (follow(), Arc::clone(&heard));
            tasks.spawn(async move {
                while let Some(()) = news.next().await {
                    if heard.0.fetch_add(1, Ordering::AcqRel) + 1 == FOLLOWERS {
                        heard.1.notify_one();
                    }
                }
            });
        }
        Self { tasks, heard }
    }

    /// Gone when this returns, so that no one finds the store gone first.
    async fn go(mut self) {
        self.tasks.shutdown().await;
    }

    async fn all_heard(&self) {
        self.heard.1.notified().await;
        let heard = self.heard.0.swap(0, Ordering::AcqRel);
        assert_eq!(heard, FOLLOWERS, "each hears of a change once");
    }

    /// The median time from when a change is asked for to when the last has heard of it.
    async fn times(&self, store: &dyn Store, rounds: u32) -> f64 {
        let mut times = Vec::new();
        for n in 0..=rounds {
            // Ten there are, and each change brings one more.
            let put = stores::instance(SERVICE, 10 + n);
            let begun = Stopwatch::start();
            store.put(put).await.expect("a store that works");
            self.all_heard().await;
            times.push(begun.millis());
        }
        // The first one finds nobody warm.
        median(times.split_off(1))
    }
}

async fn one_place(place: &Place, rounds: u32) -> Vec<Figure> {
    stores::fill(&*place.store, SERVICE, 10).await;
    let store = Arc::new(Watched::new(Arc::clone(&place.store)));
    let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
    let crowd = Crowd::new(|| {
        let changes = registry.resolve(SERVICE);
        changes
            .map(|change| drop(change.expect("no trouble")))
            .boxed()
    });
    crowd.all_heard().await;
    let ours = crowd.times(&*place.store, rounds).await;
    let (opened, counted) = (store.opened(), place.watchers());
    crowd.go().await;

    let figure = |subject, value, unit| Figure::new("fan-out", place.name, subject, value, unit);
    let mut rows = vec![figure(
        "watches opened at the store",
        opened as f64,
        "watches",
    )];
    rows.extend(counted.map(|counted| figure("watches counted by etcd", counted, "watches")));
    let peers = alone(place, rounds).await;
    rows.push(figure("a follower each", ours, "ms").of(peers, "a watch each"));
    rows.push(figure("a watch each", peers, "ms"));
    rows
}

/// What it would be without a registry: as many watches as there are followers.
async fn alone(place: &Place, rounds: u32) -> f64 {
    let keys = Keys::prefix(format!("{SERVICE}/"));
    let gone = ziggurat::coord::Delete::new(keys.clone());
    place.store.delete(gone).await.expect("a store that works");
    stores::fill(&*place.store, SERVICE, 10).await;
    let now = place.store.range(Range::one(SERVICE)).await;
    let next = now.expect("a store that works").revision + 1;
    let crowd = Crowd::new(|| {
        let batches = place.store.watch(Watch::new(keys.clone()).from(next));
        batches
            .map(|batch| drop(batch.expect("no trouble")))
            .boxed()
    });
    let time = crowd.times(&*place.store, rounds).await;
    crowd.go().await;
    time
}
