//! What many channels of one name cost, and what is left of them.

use crate::house::hello;
use futures_util::StreamExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::{
    client::Ziggurat,
    coord::{
        Lease, LeaseId, LeaseStatus, MemoryStore, Range, RangeResponse, Registry, Store,
        StoreFuture, Txn, TxnResponse, Watch, WatchStream,
    },
    core::Instance,
};
use ziggurat_testkit::{EchoClient, EchoServer, RefusingAddress, tonic::Code};

const SECOND: Duration = Duration::from_secs(1);

/// Counts the watches that are open, and those that ever were.
#[derive(Debug, Default)]
struct Counting {
    store: MemoryStore,
    open: Arc<AtomicUsize>,
    opened: AtomicUsize,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Store for Counting {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.store.range(range)
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.store.txn(txn)
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.store.grant(ttl)
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.store.keep_alive(lease)
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.store.revoke(lease)
    }

    fn abandon(&self, lease: LeaseId) {
        self.store.abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.store.time_to_live(lease)
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        self.opened.fetch_add(1, SeqCst);
        self.open.fetch_add(1, SeqCst);
        let open = Open(Arc::clone(&self.open));
        let batches = self.store.watch(watch);
        batches
            .map(move |batch| {
                let _open = &open;
                batch
            })
            .boxed()
    }
}

#[tokio::test]
async fn a_hundred_channels_of_one_name_share_one_watch_and_leave_no_task() {
    let store = Arc::new(Counting::default());
    let ziggurat = Ziggurat::new(Registry::new(Arc::clone(&store) as _));
    let channels: Vec<_> = (0..100).map(|_| ziggurat.channel("im-logic")).collect();
    let refusing = RefusingAddress::new();
    let (ip, port) = (
        refusing.address().ip().to_string(),
        refusing.address().port(),
    );
    let registrar = Registry::new(Arc::new(store.store.clone()));
    let instance = Instance::new("im-logic", "a", &ip, port).unwrap();
    let registration = registrar.register(instance).await.unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for channel in &channels {
        let call = hello().into_inner();
        let answer = EchoClient::new(channel.clone()).unary(call).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!((store.open.load(SeqCst), store.opened.load(SeqCst)), (1, 1));
    drop(channels);
    drop(ziggurat);
    let ended = async {
        while tasks() > before || store.open.load(SeqCst) > 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
    };
    time::timeout(30 * SECOND, ended).await.unwrap();
    assert_eq!((tasks(), store.open.load(SeqCst)), (before, 0));
    drop(registration);
}

#[tokio::test]
async fn a_service_whose_only_instance_left_is_unavailable_within_three_seconds() {
    let registry = Registry::memory();
    let server = EchoServer::setup().name("a").start().await;
    let (ip, port) = (server.address().ip().to_string(), server.address().port());
    let instance = Instance::new("echo", "a", &ip, port).unwrap();
    let registration = registry.register(instance).await.unwrap();
    let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
    client.unary(hello()).await.unwrap();
    registration.deregister().await.unwrap();
    // The server itself is still there and would answer: it said goodbye, so nobody doubts it.
    let begun = Instant::now();
    let status = loop {
        let call = time::timeout(30 * SECOND, client.unary(hello())).await;
        if let Err(status) = call.expect("a call never hangs") {
            break status;
        }
        assert!(begun.elapsed() <= 3 * SECOND, "it is still called");
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(begun.elapsed() <= 3 * SECOND, "{:?}", begun.elapsed());
}
