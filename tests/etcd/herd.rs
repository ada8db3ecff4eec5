//! Many clients of one etcd that lose it together.

use super::{
    follower::{LONG, echo},
    support::put,
};
use futures_util::{StreamExt, future::join_all};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat::coord::{EtcdSettings, EtcdStore, Guarded, Registry};
use ziggurat_core::Dice;
use ziggurat_testkit::Etcd;

const MS: Duration = Duration::from_millis(1);
const CLIENTS: usize = 200;

/// A way to etcd that notes when somebody comes, and can be closed.
#[derive(Clone, Default)]
struct Gate(Arc<State>);

#[derive(Default)]
struct State {
    arrived: Mutex<Vec<Instant>>,
    closed: AtomicBool,
    inside: Mutex<JoinSet<()>>,
}

impl Gate {
    async fn run(self, listener: TcpListener, target: SocketAddr) {
        while let Ok((mut one, _)) = listener.accept().await {
            self.0.arrived.lock().unwrap().push(Instant::now());
            if self.0.closed.load(SeqCst) {
                continue;
            }
            self.0.inside.lock().unwrap().spawn(async move {
                if let Ok(mut other) = TcpStream::connect(target).await {
                    let _ended = copy_bidirectional(&mut one, &mut other).await;
                }
            });
        }
    }

    /// Loses all who are inside, and forgets who came so far.
    fn cut(&self) {
        self.0.arrived.lock().unwrap().clear();
        *self.0.inside.lock().unwrap() = JoinSet::new();
    }

    fn arrived(&self) -> Vec<Instant> {
        self.0.arrived.lock().unwrap().clone()
    }
}

/// The most that came within any time as long as this.
fn most_within(arrived: &[Instant], span: Duration) -> usize {
    let from = arrived.iter().enumerate();
    let within = from.map(|(n, first)| {
        let late = arrived[n..].iter().take_while(|at| **at - *first <= span);
        late.count()
    });
    within.max().unwrap_or(0)
}

async fn until(watches: &mut [Guarded], count: usize) {
    let heard = watches.iter_mut().map(|watch| async move {
        while watch.instances().count() != count || watch.is_stale() {
            watch.next().await.unwrap();
        }
    });
    time::timeout(2 * LONG, join_all(heard)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_do_not_come_back_in_one_burst() {
    let etcd = Etcd::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gate = Gate::default();
    let mut task = JoinSet::new();
    task.spawn(gate.clone().run(listener, etcd.address()));
    let direct = EtcdStore::connect(EtcdSettings::new([etcd.url()]).unwrap());
    let direct = direct.await.unwrap();
    let registry = Registry::new(Arc::new(direct.clone()));
    let _here = registry.register(echo("0")).await.unwrap();
    let client = |n| {
        let settings = EtcdSettings::new([&url]).unwrap();
        let settings = settings.dice(Dice::seeded(n));
        let store = EtcdStore::lazy(settings);
        Registry::new(Arc::new(store)).dice(Dice::seeded(n))
    };
    let clients: Vec<_> = (0..CLIENTS as u64).map(client).collect();
    let mut watches: Vec<_> = clients.iter().map(|one| one.watch("echo")).collect();
    until(&mut watches, 1).await;

    let mut bursts = Vec::new();
    for n in 1..=4_usize {
        gate.cut();
        let value = r#"{"Op":0,"Addr":"10.0.0.9:80"}"#;
        time::sleep(50 * MS).await;
        put(&direct, &format!("echo/{n}"), value).await;
        until(&mut watches, n + 1).await;
        let arrived = gate.arrived();
        let spread = arrived[arrived.len() - 1] - arrived[0];
        let most = most_within(&arrived, 50 * MS);
        println!(
            "{} came within {spread:?}, at most {most} in 50 ms",
            arrived.len()
        );
        assert!(arrived.len() <= 2 * CLIENTS, "each comes once, or twice");
        bursts.push(most);
    }
    // By chance 25 on average; when the machine stands still for a while they come together.
    assert!(bursts.iter().any(|most| *most <= CLIENTS / 3), "{bursts:?}");

    // While there is nobody, they ask less often than ten times a second each.
    gate.0.closed.store(true, SeqCst);
    gate.cut();
    time::sleep(3_000 * MS).await;
    let arrived = gate.arrived();
    let most = most_within(&arrived, 50 * MS);
    println!("{} came in 3 s, at most {most} in 50 ms", arrived.len());
    assert!(arrived.len() <= 30 * CLIENTS, "{}", arrived.len());
    assert!(watches.iter().all(|watch| watch.instances().count() == 5));
    gate.0.closed.store(false, SeqCst);
    put(&direct, "echo/5", r#"{"Op":0,"Addr":"10.0.0.9:80"}"#).await;
    until(&mut watches, 6).await;
}
