//! Many instances that come, go and move while they are called, over real sockets.

use crate::house::hello;
use futures_util::stream;
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use ziggurat::{
    client::{Channel, ChannelSettings, Ziggurat},
    core::{Change, Changes, Dice, Instance, Resolve, State},
};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer, bounded};

/// A source that says what a test sends, to whoever asks first.
struct Feed(Mutex<Option<mpsc::UnboundedReceiver<Change>>>);

/// Calls without a pause, from several tasks, until it is over.
struct Load {
    over: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: JoinSet<()>,
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(90);

// === impl Feed ===

impl Feed {
    fn channel() -> (mpsc::UnboundedSender<Change>, Self) {
        let (send, receive) = mpsc::unbounded_channel();
        (send, Self(Mutex::new(Some(receive))))
    }
}

impl Resolve for Feed {
    fn resolve(&self, _: &str) -> Changes {
        let receive = self.0.lock().unwrap().take().unwrap();
        Box::pin(stream::unfold(receive, async |mut receive| {
            receive.recv().await.map(|change| (Ok(change), receive))
        }))
    }
}

// === impl Load ===

impl Load {
    fn on(channel: &Channel, callers: usize) -> Self {
        bounded();
        let mut load = Self {
            over: Arc::default(),
            calls: Arc::default(),
            callers: JoinSet::new(),
        };
        for _ in 0..callers {
            let (over, calls) = (Arc::clone(&load.over), Arc::clone(&load.calls));
            let mut client = EchoClient::new(channel.clone());
            load.callers.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    client.unary(hello()).await.unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits until so many more calls have been answered.
    async fn go_on(&self, calls: usize) {
        let until = self.calls.load(Ordering::Relaxed) + calls;
        eventually(|| self.calls.load(Ordering::Relaxed) >= until || self.callers.is_empty()).await;
    }

    /// Ends it; panics if any call has failed.
    async fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        self.calls.load(Ordering::Relaxed)
    }
}

async fn eventually(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(5 * MS).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap();
}

async fn servers(count: usize) -> Vec<EchoServer> {
    let mut servers = Vec::new();
    for n in 0..count {
        let setup = EchoServer::setup().name(&format!("s{n}"));
        servers.push(setup.start().await);
    }
    servers
}

fn at(name: &str, server: &EchoServer) -> Arc<Instance> {
    let port = server.address().port();
    Arc::new(Instance::new("echo", name, "127.0.0.1", port).unwrap())
}

fn channel(feed: Feed, settings: ChannelSettings) -> (Ziggurat, Channel) {
    let ziggurat = Ziggurat::new(feed).settings(settings);
    let channel = ziggurat.channel("echo");
    (ziggurat, channel)
}

fn connections(servers: &[EchoServer]) -> Vec<usize> {
    servers.iter().map(|one| one.counts().connections).collect()
}

fn ready(channel: &Channel) -> usize {
    let endpoints = channel.endpoints();
    let ready = endpoints.iter().filter(|one| one.state() == State::Ready);
    ready.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_changes_to_two_hundred_servers_cost_no_call() {
    let servers = servers(200).await;
    let whole = ChannelSettings::new().subset(NonZeroUsize::MAX);
    let (say, feed) = Feed::channel();
    let (_ziggurat, channel) = channel(feed, whole);
    let mut there: BTreeMap<usize, Arc<Instance>> = BTreeMap::new();
    for (n, server) in servers.iter().enumerate() {
        there.insert(n, at(&format!("i{n:03}"), server));
    }
    let all = there.values().map(Arc::clone).collect();
    say.send(Change::All(all)).unwrap();
    channel.connect().await.unwrap();
    let load = Load::on(&channel, 4);
    let dice = Dice::seeded(42);
    println!("seed 42");
    for n in 0..10_000 {
        let id = dice.below(200);
        let name = format!("i{id:03}");
        // It goes, comes, moves, or is said again with other words about it.
        let change = match (there.remove(&id), dice.below(4)) {
            (Some(one), 0) if there.len() > 100 => Change::Remove(one.id().clone()),
            (Some(one), 1..) => {
                let same = Instance::clone(&one).with_metadata("n", n.to_string());
                let same = Arc::new(same);
                there.insert(id, Arc::clone(&same));
                Change::Put(same)
            }
            _ => {
                let moved = at(&name, &servers[dice.below(200)]);
                there.insert(id, Arc::clone(&moved));
                Change::Put(moved)
            }
        };
        say.send(change).unwrap();
        if n % 100 == 0 {
            load.go_on(5).await;
        }
    }
    eventually(|| {
        let endpoints = channel.endpoints();
        let names = endpoints.iter().map(|one| one.id().as_str());
        names.eq(there.values().map(|one| one.id().as_str())) && ready(&channel) == there.len()
    })
    .await;
    let mut expected = vec![0; 200];
    for one in there.values() {
        let place = servers
            .iter()
            .position(|server| server.address().port() == one.port());
        expected[place.unwrap()] += 1;
    }
    // Each has the connections that it is to have, and those that drained are closed.
    eventually(|| connections(&servers) == expected).await;
    assert!(load.end().await >= 500);
}

#[tokio::test]
async fn without_a_call_who_comes_is_connected_and_who_goes_is_closed() {
    bounded();
    let servers = servers(12).await;
    let few = ChannelSettings::new().subset(NonZeroUsize::new(8).unwrap());
    let (say, feed) = Feed::channel();
    let (_ziggurat, channel) = channel(feed, few);
    let instance = |n: usize| at(&format!("i{n}"), &servers[n]);
    say.send(Change::All(vec![instance(0), instance(1)]))
        .unwrap();
    EchoClient::new(channel.clone())
        .unary(hello())
        .await
        .unwrap();

    let start = Instant::now();
    say.send(Change::Put(instance(2))).unwrap();
    eventually(|| connections(&servers)[2] == 1).await;
    let took = start.elapsed();
    assert!(took < SECOND, "{took:?}");

    say.send(Change::Remove(instance(0).id().clone())).unwrap();
    eventually(|| connections(&servers)[0] == 0).await;

    (3..12).for_each(|n| say.send(Change::Put(instance(n))).unwrap());
    eventually(|| ready(&channel) == 8 && connections(&servers).iter().sum::<usize>() == 8).await;
    // One of the subset goes, and another takes its place.
    let gone = channel.endpoints()[0].id().clone();
    say.send(Change::Remove(gone.clone())).unwrap();
    let is_gone = || channel.endpoints().iter().all(|one| *one.id() != gone);
    eventually(|| {
        is_gone() && ready(&channel) == 8 && connections(&servers).iter().sum::<usize>() == 8
    })
    .await;
    let calls: usize = servers.iter().map(|one| one.counts().arrived).sum();
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn said_again_under_load_it_keeps_its_connection_and_moved_it_is_connected_first() {
    let servers = servers(4).await;
    let (say, feed) = Feed::channel();
    let (_ziggurat, channel) = channel(feed, ChannelSettings::new());
    let both = || Change::All(vec![at("a", &servers[0]), at("b", &servers[1])]);
    say.send(both()).unwrap();
    channel.connect().await.unwrap();
    let load = Load::on(&channel, 8);
    load.go_on(100).await;
    for round in 0..100 {
        say.send(match round % 3 {
            0 => both(),
            1 => Change::Put(at("a", &servers[0])),
            _ => Change::Put(at("b", &servers[1])),
        })
        .unwrap();
        load.go_on(5).await;
    }
    let accepted = |n: usize| servers[n].counts().accepted;
    assert_eq!((accepted(0), accepted(1)), (1, 1));

    // A stream that was open when it moved goes on to its end, on the old connection.
    let (speak, spoken) = mpsc::unbounded_channel::<EchoRequest>();
    let spoken = stream::unfold(spoken, async |mut spoken| {
        spoken.recv().await.map(|said| (said, spoken))
    });
    let mut client = EchoClient::new(channel.clone());
    speak.send(hello().into_inner()).unwrap();
    let mut replies = client.bidi(spoken).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    say.send(Change::Put(at("a", &servers[2]))).unwrap();
    say.send(Change::Put(at("b", &servers[3]))).unwrap();
    eventually(|| {
        let counts = |n: usize| servers[n].counts();
        counts(2).finished > 50 && counts(3).finished > 50
    })
    .await;
    speak.send(hello().into_inner()).unwrap();
    assert!(replies.message().await.unwrap().is_some());
    drop(speak);
    assert!(replies.message().await.unwrap().is_none());
    eventually(|| connections(&servers) == [0, 0, 1, 1]).await;
    load.end().await;
    assert_eq!([0, 1, 2, 3].map(accepted), [1; 4]);
}

#[tokio::test]
async fn an_empty_set_is_not_believed_at_once() {
    let servers = servers(5).await;
    let (say, feed) = Feed::channel();
    let (_ziggurat, channel) = channel(feed, ChannelSettings::new());
    let all = || {
        let all = servers.iter().enumerate();
        let all = all.map(|(n, server)| at(&format!("i{n}"), server));
        Change::All(all.collect())
    };
    say.send(all()).unwrap();
    channel.connect().await.unwrap();
    let load = Load::on(&channel, 4);
    for sudden in [
        Change::All(vec![]),
        Change::All(vec![at("i0", &servers[0])]),
    ] {
        eventually(|| ready(&channel) == 5).await;
        say.send(sudden).unwrap();
        load.go_on(200).await;
        assert_eq!(channel.endpoints().len(), 5);
        say.send(all()).unwrap();
    }
    load.end().await;
    assert!(servers.iter().all(|one| one.counts().accepted == 1));
}

#[tokio::test]
async fn one_that_leaves_gets_no_new_calls_and_finishes_those_it_has() {
    bounded();
    let servers = servers(2).await;
    let (say, feed) = Feed::channel();
    let (_ziggurat, channel) = channel(feed, ChannelSettings::new());
    say.send(Change::All(vec![
        at("stays", &servers[0]),
        at("leaves", &servers[1]),
    ]))
    .unwrap();
    channel.connect().await.unwrap();
    eventually(|| ready(&channel) == 2).await;
    let mut client = EchoClient::new(channel.clone());
    servers[1].latency(SECOND);
    let mut slow = JoinSet::new();
    let idle = servers[1].counts().arrived;
    while servers[1].counts().arrived == idle {
        let mut client = client.clone();
        slow.spawn(async move { client.unary(hello()).await.unwrap().into_inner().server });
        tokio::time::sleep(5 * MS).await;
    }
    say.send(Change::Remove(at("leaves", &servers[1]).id().clone()))
        .unwrap();
    eventually(|| channel.endpoints().len() == 1).await;
    let before = servers[1].counts().arrived;
    for _ in 0..200 {
        let reply = client.unary(hello()).await.unwrap().into_inner();
        assert_eq!(reply.server, "s0");
    }
    assert_eq!(servers[1].counts().arrived, before);
    let mut answered = Vec::new();
    while let Some(server) = slow.join_next().await {
        answered.push(server.unwrap());
    }
    assert!(answered.contains(&"s1".to_owned()), "{answered:?}");
    eventually(|| connections(&servers) == [1, 0]).await;
}
