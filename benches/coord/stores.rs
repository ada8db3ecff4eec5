//! The stores that are measured, with their runtime.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};
use tokio::runtime::{Builder, Runtime};
use ziggurat::coord::{EtcdSettings, EtcdStore, MemoryStore, Put, Range, Store, Txn};
use ziggurat_testkit::Etcd;

/// A store, and what it needs to be there.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) etcd: Option<Etcd>,
}

// === impl Place ===

impl Place {
    /// What the server itself counts as open watches.
    pub(crate) fn watchers(&self) -> Option<f64> {
        self.etcd.as_ref().and_then(|etcd| watchers(etcd.address()))
    }
}

/// As services have it.
pub(crate) fn runtime() -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

/// The embedded one, and a real etcd, which is a child of this process.
pub(crate) async fn places() -> [Place; 2] {
    let etcd = Etcd::start().await;
    let settings = EtcdSettings::new([etcd.url()]).expect("a valid URL");
    let store = EtcdStore::connect(settings).await.expect("it answers");
    let memory = Place {
        name: "memory",
        store: Arc::new(MemoryStore::new()),
        etcd: None,
    };
    let etcd = Place {
        name: "etcd",
        store: Arc::new(store),
        etcd: Some(etcd),
    };
    [memory, etcd]
}

/// Writes instances of `service` as Go's naming package does, a hundred at once.
pub(crate) async fn fill(store: &dyn Store, service: &str, instances: u32) {
    let all: Vec<_> = (0..instances).map(|n| instance(service, n)).collect();
    for some in all.chunks(100) {
        let txn = Txn::new().then(some.to_vec());
        store.txn(txn).await.expect("a store that works");
    }
    let found = store.range(Range::prefix(format!("{service}/"))).await;
    let found = found.expect("a store that works").count;
    assert_eq!(found, instances as usize, "instances of {service}");
}

pub(crate) fn instance(service: &str, n: u32) -> Put {
    let [_, a, b, c] = n.to_be_bytes();
    let value = format!("{{\"Op\":0,\"Addr\":\"10.{a}.{b}.{c}:8080\",\"Metadata\":null}}");
    Put::new(format!("{service}/{service}-{n:05}"), value)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn watchers(etcd: SocketAddr) -> Option<f64> {
    let mut stream = TcpStream::connect(etcd).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix("etcd_debugging_mvcc_watcher_total "));
    found?.trim().parse().ok()
}
