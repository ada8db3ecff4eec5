//! Instances by DNS, asked of a real server on loopback.

use futures_util::StreamExt;
use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record,
        rdata::{A, AAAA, SRV},
    },
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    task::JoinSet,
    time::{Instant, timeout},
};
use tower::Layer;
use ziggurat_core::{Backoff, BoxError, Change, Changes, Resolve, State};
use ziggurat_discover::{
    DiscoverLayer, Feedback,
    dns::{Dns, Records},
};

use crate::support::{Fake, Log};

const MS: Duration = Duration::from_millis(1);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A server of the names that a test tells it.
struct Server {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Zone {
    records: HashMap<String, Vec<Record>>,
    /// Answers everything with this.
    failing: Option<ResponseCode>,
    /// When it was asked for what.
    asked: Vec<(Instant, String)>,
}

// === impl Server ===

impl Server {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, zone) = (socket.local_addr().unwrap(), Arc::<Mutex<Zone>>::default());
        let mut serving = JoinSet::new();
        let answers = Arc::clone(&zone);
        serving.spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let answer = answers.lock().unwrap().answer(&query);
                socket
                    .send_to(&answer.to_vec().unwrap(), peer)
                    .await
                    .unwrap();
            }
        });
        Self {
            address,
            zone,
            _serving: serving,
        }
    }

    fn set(&self, name: &str, ttl: u32, data: impl IntoIterator<Item = RData>) {
        let name: Name = name.parse().unwrap();
        let record = |data| Record::from_rdata(name.clone(), ttl, data);
        let records = data.into_iter().map(record).collect();
        let key = name.to_ascii();
        self.zone.lock().unwrap().records.insert(key, records);
    }

    fn addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let data = addresses.iter().map(|ip| match ip.parse().unwrap() {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        });
        self.set(name, ttl, data);
    }

    fn fail(&self, with: Option<ResponseCode>) {
        self.zone.lock().unwrap().failing = with;
    }

    /// How often it was asked for addresses of the fourth kind.
    fn asked(&self) -> usize {
        let zone = self.zone.lock().unwrap();
        let asked = zone.asked.iter().filter(|(_, kind)| kind == "A");
        asked.count()
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.asked() < times {
                tokio::time::sleep(5 * MS).await;
            }
        };
        timeout(LONG, asked).await.unwrap();
    }

    fn dns(&self, records: Records) -> Dns {
        let backoff = Backoff::new(50 * MS, 2.0, 200 * MS).unwrap();
        let dns = Dns::servers([self.address], records).unwrap();
        let dns = dns.domain("test").backoff(backoff.jitter(0.0).unwrap());
        dns.refresh_every(50 * MS, LONG).unwrap()
    }
}

// === impl Zone ===

impl Zone {
    fn answer(&mut self, query: &Message) -> Message {
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        let question = query.queries[0].clone();
        let kind = question.query_type();
        self.asked.push((Instant::now(), kind.to_string()));
        let name = question.name().to_ascii().to_lowercase();
        answer.add_query(question);
        let records = self.records.get(&name);
        answer.metadata.response_code = match (self.failing, records) {
            (Some(code), _) => code,
            (None, None) => ResponseCode::NXDomain,
            (None, Some(_)) => ResponseCode::NoError,
        };
        if self.failing.is_none() {
            let records = records.into_iter().flatten();
            let asked_for = records.filter(|record| record.record_type() == kind);
            answer.add_answers(asked_for.cloned());
        }
        answer
    }
}

fn port(port: u16) -> Records {
    let port = NonZeroU16::new(port).unwrap();
    Records::Addresses { port }
}

async fn next(changes: &mut Changes) -> Result<Vec<String>, BoxError> {
    let change = timeout(LONG, changes.next()).await.unwrap().unwrap()?;
    let Change::All(all) = change else {
        panic!("{change:?}");
    };
    let said = all.iter().map(|one| match one.weight().get() {
        1 => one.id().to_string(),
        weight => format!("{}*{weight}", one.id()),
    });
    Ok(said.collect())
}

#[tokio::test]
async fn addresses_of_both_kinds_are_instances_in_order_and_only_news_is_told() {
    let server = Server::start().await;
    server.addresses("echo.test.", 0, &["10.0.0.2", "::1", "10.0.0.1"]);
    let mut changes = server.dns(port(80)).resolve("echo");
    let first = ["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"];
    assert_eq!(next(&mut changes).await.unwrap(), first);
    // The same in another order is the same.
    server.addresses("echo.test.", 0, &["10.0.0.1", "10.0.0.2", "::1"]);
    let asked = server.asked();
    let mut second = Box::pin(next(&mut changes));
    tokio::select! {
        said = &mut second => panic!("{said:?}"),
        () = server.until_asked(asked + 3) => {}
    }
    server.addresses("echo.test.", 0, &["10.0.0.3"]);
    assert_eq!(second.await.unwrap(), ["10.0.0.3:80"]);
}

#[tokio::test]
async fn it_is_asked_again_when_the_time_to_live_is_over_within_bounds() {
    let server = Server::start().await;
    // The time to live in seconds; the bounds, and when it is asked again, in milliseconds.
    for (ttl, least, most, again) in [
        (1, 50, 20_000, 1_000),
        (0, 150, 20_000, 150),
        (3_600, 50, 250, 250),
    ] {
        server.addresses("echo.test.", ttl, &["10.0.0.1"]);
        let dns = server.dns(port(80));
        let dns = dns.refresh_every(least * MS, most * MS).unwrap();
        let mut changes = dns.resolve("echo");
        let before = server.asked();
        let start = Instant::now();
        next(&mut changes).await.unwrap();
        tokio::select! {
            _ = changes.next() => panic!("nothing has changed"),
            () = server.until_asked(before + 2) => {}
        }
        let gap = start.elapsed();
        assert!(gap >= again * MS, "{ttl} s: {gap:?}");
        assert!(gap < again * MS + LONG / 2, "{ttl} s: {gap:?}");
    }
}

#[tokio::test]
async fn services_bring_their_ports_and_weights_and_the_lowest_priority_counts() {
    let server = Server::start().await;
    let srv = |priority, weight, port, target: &str| {
        RData::SRV(SRV::new(priority, weight, port, target.parse().unwrap()))
    };
    let records = [
        srv(2, 1, 9, "spare.test."),
        srv(1, 30, 81, "a.test."),
        srv(1, 0, 82, "b.test."),
        srv(1, 5, 0, "b.test."),
    ];
    server.set("_grpc._tcp.echo.test.", 0, records);
    server.addresses("a.test.", 0, &["10.0.0.1", "::1"]);
    server.addresses("b.test.", 0, &["10.0.0.2"]);
    server.addresses("spare.test.", 0, &["10.0.0.9"]);
    let mut changes = server.dns(Records::Services).resolve("echo");
    let first = ["10.0.0.1:81*30", "10.0.0.2:82", "[::1]:81*30"];
    assert_eq!(next(&mut changes).await.unwrap(), first, "port 0 cannot be");
    let nowhere = [srv(0, 0, 0, ".")];
    server.set("_grpc._tcp.echo.test.", 0, nowhere);
    assert!(next(&mut changes).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_without_addresses_is_an_empty_set_and_a_failing_server_is_trouble() {
    let server = Server::start().await;
    let mut changes = server.dns(port(80)).resolve("echo");
    assert!(next(&mut changes).await.unwrap().is_empty(), "no such name");
    server.addresses("echo.test.", 0, &["10.0.0.1"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.1:80"]);
    server.fail(Some(ResponseCode::ServFail));
    next(&mut changes).await.unwrap_err();
    let start = Instant::now();
    for _ in 0..2 {
        next(&mut changes).await.unwrap_err();
    }
    assert!(start.elapsed() >= 140 * MS, "50 ms and 100 ms of backoff");
    server.fail(None);
    server.addresses("echo.test.", 0, &["10.0.0.2"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.2:80"]);
}

#[tokio::test]
async fn who_is_asked_to_asks_at_once_but_never_too_often() {
    let server = Server::start().await;
    server.addresses("echo.test.", 3_600, &["10.0.0.1"]);
    let dns = server.dns(port(80));
    let dns = dns.refresh_every(200 * MS, LONG).unwrap();
    let mut changes = dns.resolve("echo");
    next(&mut changes).await.unwrap();
    let start = Instant::now();
    server.addresses("echo.test.", 3_600, &["10.0.0.2"]);
    let asking = async {
        loop {
            dns.refresh();
            tokio::time::sleep(MS).await;
        }
    };
    tokio::select! {
        said = next(&mut changes) => assert_eq!(said.unwrap(), ["10.0.0.2:80"]),
        () = asking => {}
    }
    assert!(start.elapsed() >= 190 * MS, "{:?}", start.elapsed());
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn when_no_endpoint_can_be_called_it_is_asked_again() {
    let server = Server::start().await;
    server.addresses("echo.test.", 3_600, &["10.0.0.1", "10.0.0.2"]);
    let feedback = Feedback::default();
    let dns = server.dns(port(80)).feedback(feedback.clone());
    let layer = DiscoverLayer::new(dns, "echo").feedback(feedback);
    let mut endpoints = layer.layer(Log::default());
    let mut fakes: Vec<Fake> = Vec::new();
    let mut insert = async |fakes: &mut Vec<Fake>| {
        let event = timeout(LONG, endpoints.next()).await.unwrap();
        if let Some(Ok(tower::discover::Change::Insert(_, fake))) = event {
            fakes.push(fake.get_ref().clone());
        }
    };
    insert(&mut fakes).await;
    insert(&mut fakes).await;
    let asked = server.asked();
    server.addresses("echo.test.", 3_600, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    fakes[0].says(State::Down);
    assert!(timeout(200 * MS, insert(&mut fakes)).await.is_err());
    assert_eq!(server.asked(), asked, "one is enough");
    fakes[1].says(State::Ejected);
    insert(&mut fakes).await;
    assert_eq!(fakes.len(), 3);
    assert_eq!(server.asked(), asked + 1);
}

#[tokio::test]
async fn a_name_that_vanishes_is_held_by_the_guard() {
    let server = Server::start().await;
    server.addresses("echo.test.", 0, &["10.0.0.1"]);
    let layer = DiscoverLayer::new(server.dns(port(80)), "echo").grace(1_000 * MS);
    let mut endpoints = layer.layer(Log::default());
    timeout(LONG, endpoints.next()).await.unwrap();
    server.zone.lock().unwrap().records.clear();
    let start = Instant::now();
    let gone = timeout(LONG, endpoints.next()).await.unwrap();
    assert!(matches!(gone, Some(Ok(tower::discover::Change::Remove(_)))));
    assert!(start.elapsed() >= 990 * MS);
}
