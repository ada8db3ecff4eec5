//! A channel whose endpoints are picked by another policy than the default, over real sockets.

use crate::house::hello;
use http::Request;
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use ziggurat::{
    balance::{
        self, Arrange, Call, Candidates, Endpoints, LeastRequest, LoadReport, LoadReports, Policy,
        ReportLayer, RingHash, RoundRobin,
    },
    client::{AttemptRequest, Channel, ChannelSettings, RequestExt, Ziggurat},
    coord::{Registration, Registry},
    core::{Dice, Instance, State},
};
use ziggurat_testkit::{Behaviour, EchoClient, EchoRequest, EchoServer, bounded, tonic};

/// Servers `echo-0`, `echo-1`, ... that join and leave, and a channel to them.
struct Fleet {
    registry: Registry,
    servers: Vec<EchoServer>,
    registrations: Vec<Option<Registration>>,
}

/// Sends the calls of testers to `echo-0`.
#[derive(Clone)]
struct TestersFirst(RoundRobin);

// === impl Fleet ===

impl Fleet {
    async fn of(weights: &[u32]) -> Self {
        bounded();
        let mut fleet = Self {
            registry: Registry::memory(),
            servers: Vec::new(),
            registrations: Vec::new(),
        };
        for (nth, weight) in weights.iter().enumerate() {
            let server = EchoServer::setup().name(&name(nth)).start().await;
            fleet.join(server, *weight).await;
        }
        fleet
    }

    async fn join(&mut self, server: EchoServer, weight: u32) {
        let (address, name) = (server.address(), name(self.servers.len()));
        let instance = Instance::new("echo", &name, &address.ip().to_string(), address.port());
        let instance = instance
            .unwrap()
            .with_weight(NonZeroU32::new(weight).unwrap());
        let registration = self.registry.register(instance).await.unwrap();
        self.registrations.push(Some(registration));
        self.servers.push(server);
    }

    /// A channel that knows all of them, each past its slow start.
    async fn channel(&self, policy: impl Policy<AttemptRequest>) -> Channel {
        let at_once = balance::Settings::new().slow_start(Duration::ZERO);
        let settings = ChannelSettings::new().balance(at_once).balance_by(policy);
        let ziggurat = Ziggurat::new(self.registry.clone()).settings(settings);
        let channel = ziggurat.channel("echo");
        channel.connect().await.unwrap();
        let ready = || {
            channel
                .endpoints()
                .iter()
                .all(|one| one.state() == State::Ready)
        };
        while channel.endpoints().len() < self.servers.len() || !ready() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut client = EchoClient::new(channel.clone());
        while self.arrived().contains(&0) {
            client.unary(hello()).await.unwrap();
        }
        channel
    }

    fn arrived(&self) -> Vec<u64> {
        let arrived = |server: &EchoServer| server.counts().arrived as u64;
        self.servers.iter().map(arrived).collect()
    }

    /// How many of so many calls each gets.
    async fn shares(&self, channel: &Channel, calls: usize) -> Vec<u64> {
        let before = self.arrived();
        let mut client = EchoClient::new(channel.clone());
        for _ in 0..calls {
            client.unary(hello()).await.unwrap();
        }
        let since = self.arrived().into_iter().zip(before);
        since.map(|(after, before)| after - before).collect()
    }
}

fn name(nth: usize) -> String {
    format!("echo-{nth}")
}

/// Who answers.
async fn asked(channel: &Channel, request: tonic::Request<EchoRequest>) -> String {
    let reply = EchoClient::new(channel.clone()).unary(request).await;
    reply.unwrap().into_inner().server
}

/// Who answers for each key.
async fn homes(channel: &Channel) -> HashMap<u64, String> {
    let mut homes = HashMap::new();
    for key in 0..60 {
        homes.insert(key, asked(channel, hello().with_hash_key(key)).await);
    }
    homes
}

#[tokio::test]
async fn in_turn_each_gets_as_many_as_it_is_heavy_or_all_alike() {
    let fleet = Fleet::of(&[3, 1]).await;
    let weighted = fleet.channel(RoundRobin::weighted()).await;
    assert_eq!(fleet.shares(&weighted, 80).await, [60, 20]);
    let plain = fleet.channel(RoundRobin::plain()).await;
    assert_eq!(fleet.shares(&plain, 80).await, [40, 40]);
}

#[tokio::test]
async fn the_least_busy_is_called_however_slow_it_was() {
    let fleet = Fleet::of(&[1, 1]).await;
    fleet.servers[0].latency(Duration::from_millis(20));
    let least = fleet
        .channel(LeastRequest::new().dice(Dice::seeded(1)))
        .await;
    let shares = fleet.shares(&least, 60).await;
    assert!(shares[0] >= 15, "nobody is busy: {shares:?}");

    fleet.servers[0].latency(Duration::ZERO);
    let (busy, before) = (&fleet.servers[1], fleet.arrived()[1]);
    busy.behave_next(1, Behaviour::Stall);
    let stuck = async {
        futures_util::future::join_all((0..16).map(|_| asked(&least, hello()))).await;
    };
    let others = async {
        busy.until(|counts| counts.arrived as u64 > before).await;
        fleet.shares(&least, 16).await;
        // Even now it is called when it alone is drawn, eight times of eight.
        fleet.shares(&least, 60).await
    };
    tokio::select! {
        () = stuck => panic!("one of them stalls"),
        shares = others => assert!(shares[1] < 6, "one is busy: {shares:?}"),
    }
}

#[tokio::test]
async fn a_key_stays_where_it_is_and_only_those_of_who_leaves_move() {
    let mut fleet = Fleet::of(&[1; 4]).await;
    let channel = fleet.channel(RingHash::new()).await;
    let before = homes(&channel).await;
    assert_eq!(homes(&channel).await, before);
    let of = |name: &str| before.values().filter(|home| *home == name).count();
    assert!((0..4).all(|nth| of(&name(nth)) > 0), "{before:?}");

    let leaving = fleet.registrations[2].take().unwrap();
    leaving.deregister().await.unwrap();
    while channel.endpoints().len() > 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (key, home) in homes(&channel).await {
        if before[&key] == "echo-2" {
            assert_ne!(home, "echo-2");
        } else {
            assert_eq!(home, before[&key]);
        }
    }
}

#[tokio::test]
async fn a_key_of_the_request_whose_home_fails_goes_to_the_next_one() {
    let fleet = Fleet::of(&[1; 3]).await;
    let by_user = RingHash::by(|request: &Request<_>| {
        let user = request.headers().get("user-id")?;
        user.to_str().ok()?.parse().ok()
    });
    let channel = fleet.channel(by_user).await;
    let of_user = || {
        let mut request = hello();
        let user = "4711".parse().unwrap();
        request.metadata_mut().insert("user-id", user);
        request
    };
    let home = asked(&channel, of_user()).await;
    for _ in 0..20 {
        assert_eq!(asked(&channel, of_user()).await, home);
    }
    let server = fleet.servers.iter().find(|one| one.name() == home).unwrap();
    server.behave(Behaviour::Fail(tonic::Code::Unavailable));
    let next = asked(&channel, of_user()).await;
    assert_ne!(next, home);
    assert_eq!(asked(&channel, of_user()).await, next);
}

#[tokio::test]
async fn who_reports_that_it_is_loaded_gets_less() {
    let mut fleet = Fleet::of(&[]).await;
    let percent = Arc::new(AtomicU64::new(20));
    for nth in 0..2 {
        let percent = if nth == 0 {
            Arc::clone(&percent)
        } else {
            Arc::new(AtomicU64::new(20))
        };
        let report = ReportLayer::new(move || {
            let used = percent.load(Ordering::Relaxed) as f64 / 100.0;
            LoadReport::new(100.0).application_utilization(used)
        });
        let server = EchoServer::setup().name(&name(nth)).layer(report);
        fleet.join(server.start().await, 1).await;
    }
    let reports = LoadReports::new().blackout_period(Duration::ZERO);
    let reports = reports.weight_update_period(Duration::from_millis(100));
    let channel = fleet.channel(RoundRobin::by_load(reports.unwrap())).await;
    assert_eq!(fleet.shares(&channel, 100).await, [50, 50]);

    percent.store(60, Ordering::Relaxed);
    let shifted = async {
        // Three times the load, a third of the calls of the other.
        while !(24..=26).contains(&fleet.shares(&channel, 100).await[0]) {}
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, shifted).await.unwrap();
}

#[tokio::test]
async fn a_policy_of_ones_own_sees_the_request() {
    let fleet = Fleet::of(&[1; 3]).await;
    let channel = fleet.channel(TestersFirst(RoundRobin::plain())).await;
    let shares = fleet.shares(&channel, 30).await;
    assert_eq!(shares, [10, 10, 10]);
    for _ in 0..10 {
        let mut request = hello();
        let yes = "yes".parse().unwrap();
        request.metadata_mut().insert("x-tester", yes);
        assert_eq!(asked(&channel, request).await, "echo-0");
    }
}

#[test]
fn services_go_by_policies_of_their_own() {
    let in_turn = ChannelSettings::new().balance_by(RoundRobin::plain());
    let ziggurat = Ziggurat::new(Registry::memory()).service("echo", in_turn);
    let told = format!("{ziggurat:?}");
    assert!(
        ["P2c", "RoundRobin"].iter().all(|name| told.contains(name)),
        "{told}"
    );
}

// === impl TestersFirst ===

impl Arrange for TestersFirst {
    type Table = (Option<usize>, <RoundRobin as Arrange>::Table);

    fn arrange(&self, endpoints: &Endpoints<'_>) -> Self::Table {
        let first = endpoints
            .iter()
            .position(|(id, _)| id.as_str().contains("echo-0"));
        (first, self.0.arrange(endpoints))
    }
}

impl<B> Policy<Request<B>> for TestersFirst {
    fn pick(
        &self,
        (first, turns): &Self::Table,
        among: &Candidates<'_>,
        call: &Call<'_, Request<B>>,
    ) -> Option<usize> {
        let is_tester = call.request().headers().contains_key("x-tester");
        let first = first.filter(|at| is_tester && among.is_good(*at, call));
        first.or_else(|| self.0.pick(turns, among, call))
    }
}
