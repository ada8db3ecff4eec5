//! The main job, calls by a name, while the only etcd there is goes away and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time};
use ziggurat::{
    client::{Channel, Ziggurat},
    coord::{EtcdSettings, EtcdStore, Registration, Registry},
};
use ziggurat_core::Instance;
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer, Etcd};

const LONG: Duration = Duration::from_secs(30);
/// Shorter than the outage.
const TTL: Duration = Duration::from_secs(2);
const CALLERS: usize = 4;

/// Callers who never stop, and none of whose calls may fail.
struct Load {
    calls: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

// === impl Load ===

impl Load {
    fn on(channel: &Channel) -> Self {
        let calls = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let mut client = EchoClient::new(channel.clone());
            let calls = Arc::clone(&calls);
            callers.spawn(async move {
                loop {
                    client.unary(EchoRequest::default()).await.unwrap();
                    calls.fetch_add(1, Relaxed);
                    time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        Self { calls, callers }
    }

    /// Waits until `seen`, and until so many calls have been answered meanwhile.
    async fn until(&mut self, calls: u64, seen: impl Fn() -> bool) {
        let enough = self.calls.load(Relaxed) + calls;
        let waiting = async {
            while self.calls.load(Relaxed) < enough || !seen() {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = self.callers.join_next() => panic!("a call failed: {ended:?}"),
            reached = time::timeout(LONG, waiting) => reached.expect("it is seen some time"),
        }
    }
}

async fn registry(etcd: &Etcd) -> Registry {
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    let settings = settings.try_timeout(Duration::from_secs(1)).unwrap();
    Registry::new(Arc::new(EtcdStore::connect(settings).await.unwrap()))
}

async fn join(registry: &Registry, name: &str) -> (EchoServer, Registration) {
    let server = EchoServer::setup().name(name).start().await;
    let address = server.address();
    let instance = Instance::new("echo", name, &address.ip().to_string(), address.port());
    let registration = registry.register(instance.unwrap()).ttl(TTL);
    let registration = time::timeout(LONG, registration.into_future()).await;
    (server, registration.unwrap().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_power_cut_of_the_only_etcd_no_call_fails_and_then_it_is_heard_again() {
    let mut etcd = Etcd::start().await;
    let theirs = registry(&etcd).await;
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(join(&theirs, name).await);
    }
    let ziggurat = Ziggurat::new(registry(&etcd).await);
    let channel = ziggurat.channel("echo");
    let mut load = Load::on(&channel);
    let endpoints = |count| {
        let channel = channel.clone();
        move || channel.endpoints().len() == count
    };
    load.until(100, endpoints(3)).await;

    etcd.kill();
    let lost = servers[0].1.lost();
    time::timeout(LONG, lost).await.unwrap();
    // All leases are over, if anybody could say so.
    load.until(500, endpoints(3)).await;
    assert!(endpoints(3)(), "whom nobody took away stays");

    etcd.restart().await;
    let (late, _registration) = join(&theirs, "d").await;
    load.until(100, || late.counts().finished > 0).await;
    load.until(100, endpoints(4)).await;
    let (leaving, registration) = servers.pop().unwrap();
    registration.deregister().await.unwrap();
    load.until(100, endpoints(3)).await;
    leaving.shutdown_gracefully().await;
    load.until(100, endpoints(3)).await;
}
