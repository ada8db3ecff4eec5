//! A server of DNS on loopback, by UDP and TCP.

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
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
    time::{Instant, timeout},
};
use ziggurat_core::{Backoff, BoxError, Change, Changes};
use ziggurat_discover::dns::{Dns, Records};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server of the names that a test tells it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) zone: Arc<Mutex<Zone>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
pub(crate) struct Zone {
    pub(crate) records: HashMap<String, Vec<Record>>,
    /// Answers everything with this.
    pub(crate) failing: Option<ResponseCode>,
    /// Answers this name with this.
    pub(crate) failing_for: Option<(String, ResponseCode)>,
    /// Answers questions of this kind with this.
    pub(crate) failing_kind: Option<(String, ResponseCode)>,
    /// Has no room for answers by UDP.
    pub(crate) truncates: bool,
    /// Takes so long.
    pub(crate) slow: Duration,
    /// When it was asked for what.
    pub(crate) asked: Vec<(Instant, String)>,
}

// === impl Server ===

impl Server {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = sockets().await;
        let (address, zone) = (udp.local_addr().unwrap(), Arc::<Mutex<Zone>>::default());
        let mut serving = JoinSet::new();
        let answers = Arc::clone(&zone);
        serving.spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
                let answer = reply(&answers, &buffer[..length], true).await;
                udp.send_to(&answer, peer).await.unwrap();
            }
        });
        let answers = Arc::clone(&zone);
        serving.spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                // Each on its own connection, or one after the other: both is well.
                while let Ok(length) = stream.read_u16().await {
                    let mut query = vec![0; length.into()];
                    stream.read_exact(&mut query).await.unwrap();
                    let answer = reply(&answers, &query, false).await;
                    stream.write_u16(answer.len() as u16).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
        Self {
            address,
            zone,
            _serving: serving,
        }
    }

    pub(crate) fn set(&self, name: &str, ttl: u32, data: impl IntoIterator<Item = RData>) {
        let name: Name = name.parse().unwrap();
        let record = |data| Record::from_rdata(name.clone(), ttl, data);
        let records = data.into_iter().map(record).collect();
        let key = name.to_ascii();
        self.zone.lock().unwrap().records.insert(key, records);
    }

    pub(crate) fn addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let data = addresses.iter().map(|ip| match ip.parse().unwrap() {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        });
        self.set(name, ttl, data);
    }

    pub(crate) fn fail(&self, with: Option<ResponseCode>) {
        self.zone.lock().unwrap().failing = with;
    }

    pub(crate) fn fail_for(&self, name: &str, with: Option<ResponseCode>) {
        self.zone.lock().unwrap().failing_for = with.map(|code| (name.to_owned(), code));
    }

    pub(crate) fn fail_kind(&self, kind: &str, with: Option<ResponseCode>) {
        self.zone.lock().unwrap().failing_kind = with.map(|code| (kind.to_owned(), code));
    }

    /// How often it was asked for addresses of the fourth kind.
    pub(crate) fn asked(&self) -> usize {
        let zone = self.zone.lock().unwrap();
        let asked = zone.asked.iter().filter(|(_, kind)| kind == "A");
        asked.count()
    }

    pub(crate) async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.asked() < times {
                tokio::time::sleep(5 * MS).await;
            }
        };
        timeout(LONG, asked).await.unwrap();
    }

    pub(crate) fn dns(&self, records: Records) -> Dns {
        let backoff = Backoff::new(50 * MS, 2.0, 200 * MS).unwrap();
        let dns = Dns::servers([self.address], records).unwrap();
        let dns = dns.domain("test").backoff(backoff.jitter(0.0).unwrap());
        dns.refresh_every(50 * MS, LONG).unwrap()
    }
}

// === impl Zone ===

impl Zone {
    fn answer(&mut self, query: &Message, cut: bool) -> Message {
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        let question = query.queries[0].clone();
        let kind = question.query_type();
        self.asked.push((Instant::now(), kind.to_string()));
        let name = question.name().to_ascii().to_lowercase();
        answer.add_query(question);
        let records = self.records.get(&name);
        let for_this = self.failing_for.as_ref().filter(|(of, _)| *of == name);
        let asked = kind.to_string();
        let of_kind = self.failing_kind.as_ref().filter(|(of, _)| *of == asked);
        let failing = for_this.or(of_kind).map(|(_, code)| *code);
        let failing = self.failing.or(failing);
        answer.metadata.response_code = match (failing, records) {
            (Some(code), _) => code,
            (None, None) => ResponseCode::NXDomain,
            (None, Some(_)) => ResponseCode::NoError,
        };
        if cut {
            answer.metadata.truncation = true;
        } else if failing.is_none() {
            let records = records.into_iter().flatten();
            let asked_for = records.filter(|record| record.record_type() == kind);
            answer.add_answers(asked_for.cloned());
        }
        answer
    }
}

/// Of one port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn reply(zone: &Mutex<Zone>, query: &[u8], by_udp: bool) -> Vec<u8> {
    let query = Message::from_vec(query).unwrap();
    let (answer, slow) = {
        let mut zone = zone.lock().unwrap();
        let cut = by_udp && zone.truncates;
        (zone.answer(&query, cut), zone.slow)
    };
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
    }
    answer.to_vec().unwrap()
}

pub(crate) fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, weight, port, target.parse().unwrap()))
}

pub(crate) fn port(port: u16) -> Records {
    let port = NonZeroU16::new(port).unwrap();
    Records::Addresses { port }
}

pub(crate) async fn next(changes: &mut Changes) -> Result<Vec<String>, BoxError> {
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
