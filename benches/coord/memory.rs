//! The embedded store: reads, writes and transactions on one of a thousand keys.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::runtime::Handle;
use tower::{BoxError, service_fn};
use ziggurat::coord::{Compare, Keys, MemoryStore, Put, Range, Relation, Store, Target, Txn};
use ziggurat_benches::{Board, Figures};

const KEYS: usize = 1_000;

pub(crate) fn rows(figures: &mut Figures) {
    let mut board = Board::default();
    board
        .section::<u64>("memory", "range")
        .service("floor", || {
            let (floor, keys) = (floor(), keys());
            service_fn(move |_: u64| floor.read(keys.next()))
        })
        .service("ziggurat", || {
            let (store, keys) = (store(), keys());
            service_fn(move |_: u64| store.range(Range::one(keys.next())))
        });
    board
        .section::<u64>("memory", "range of 100")
        .service("ziggurat", || {
            let store = store();
            service_fn(move |_: u64| {
                store.range(Range::new(Keys::between("service/0200", "service/0300")))
            })
        });
    board
        .section::<u64>("memory", "put")
        .service("floor", || {
            let (floor, keys) = (floor(), keys());
            service_fn(move |_: u64| floor.write(keys.next()))
        })
        .service("ziggurat", || {
            let (store, keys) = (store(), keys());
            service_fn(move |_: u64| store.put(Put::new(keys.next(), "value")))
        });
    board
        .section::<u64>("memory", "txn: compare, put, range")
        .service("ziggurat", || {
            let (store, keys) = (store(), keys());
            service_fn(move |_: u64| {
                let key = keys.next();
                let known = Compare::new(
                    Keys::one(key.clone()),
                    Relation::Greater,
                    Target::Version(0),
                );
                let txn = Txn::new().when([known]);
                let txn = txn.then([Put::new(key.clone(), "value")]);
                store.txn(txn.otherwise([Range::one(key)]))
            })
        });
    figures.board(&board);
}

/// The least that a store behind an object-safe trait can do: no revisions, leases or history.
struct Floor(Mutex<BTreeMap<Bytes, Bytes>>);

/// One key after the other, none next to the one before.
struct Turn {
    keys: Vec<Bytes>,
    nth: AtomicUsize,
}

// === impl Floor ===

impl Floor {
    fn read(&self, key: Bytes) -> BoxFuture<'_, Result<Option<Bytes>, BoxError>> {
        Box::pin(async move { Ok(self.0.lock().get(&key).cloned()) })
    }

    fn write(&self, key: Bytes) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move {
            self.0.lock().insert(key, Bytes::from_static(b"value"));
            Ok(())
        })
    }
}

// === impl Turn ===

impl Turn {
    fn next(&self) -> Bytes {
        let nth = self.nth.fetch_add(389, Ordering::Relaxed);
        self.keys[nth % KEYS].clone()
    }
}

/// For the whole run, as a service's store is, so that a call need not hold it.
fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn keys() -> &'static Turn {
    let key = |n| Bytes::from(format!("service/{n:04}"));
    keep(Turn {
        keys: (0..KEYS).map(key).collect(),
        nth: AtomicUsize::new(0),
    })
}

fn floor() -> &'static Floor {
    let kvs = keys().keys.iter();
    let kvs = kvs.map(|key| (key.clone(), Bytes::from_static(b"value")));
    keep(Floor(Mutex::new(kvs.collect())))
}

fn store() -> &'static dyn Store {
    let store = keep(MemoryStore::new());
    for key in &keys().keys {
        let put = store.put(Put::new(key.clone(), "value"));
        Handle::current()
            .block_on(put)
            .expect("nothing is wrong with it");
    }
    store
}
