//! Under a layer that watches health: who fails or stalls is ejected, probed, and comes back.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat::{
    balance::{Balance, BalanceLayer, ForeignEndpoint},
    core::{
        BoxError, ByResult, CallOptions, Carry, Classify, Deadline, Dice, Endpoint, EndpointId,
        Instance, Record, Recorder, Reporter, State,
    },
    discover::{DiscoverLayer, Discovered, Fixed},
    health::{Checked, HealthLayer, Observer, Settings},
};
use ziggurat_testkit::{Script, Step, bounded};

type Answers = Script<CallOptions, u32>;
type Watched = Discovered<Checked<ForeignEndpoint<Answers>, WithDeadline>>;

/// Reads results, and knows when calls must be over.
#[derive(Clone, Copy)]
struct WithDeadline;

/// A server that does well until it is told otherwise.
#[derive(Clone, Default)]
struct Server(Arc<AtomicU8>);

/// Five servers, watched and balanced.
struct Five {
    servers: Vec<Server>,
    scripts: Vec<Answers>,
    ejected: Ejected,
    service: Balance<Watched, WithDeadline>,
}

/// Who was ejected.
#[derive(Clone, Default)]
struct Ejected(Arc<Mutex<BTreeSet<String>>>);

#[derive(Clone, Copy)]
#[repr(u8)]
enum Mood {
    Well,
    Failing,
    Stalled,
}

// === impl WithDeadline ===

impl Classify<u32> for WithDeadline {
    type Response<R: Record> = u32;

    fn observe<R: Record>(
        &self,
        result: Result<u32, BoxError>,
        recorder: Recorder<R>,
    ) -> Result<u32, BoxError> {
        ByResult.observe(result, recorder)
    }
}

impl Carry<CallOptions> for WithDeadline {
    fn deadline(&self, request: &CallOptions) -> Option<Deadline> {
        request.deadline
    }
}

// === impl Server ===

impl Server {
    fn becomes(&self, mood: Mood) {
        self.0.store(mood as u8, Ordering::Relaxed);
    }

    fn script(&self) -> Answers {
        let mood = Arc::clone(&self.0);
        Script::by(move |_, _| match mood.load(Ordering::Relaxed) {
            0 => Step::answer(1).after(Duration::from_millis(10)),
            1 => Step::fail_with("no").after(Duration::from_millis(1)),
            _ => Step::never(),
        })
    }
}

// === impl Ejected ===

impl Observer for Ejected {
    fn ejected(&self, _: &str, endpoint: &EndpointId, _: Duration) {
        self.0.lock().unwrap().insert(endpoint.as_str().to_owned());
    }
}

// === impl Five ===

impl Five {
    fn start() -> Self {
        bounded();
        let servers: Vec<_> = (0..5).map(|_| Server::default()).collect();
        let scripts: Vec<_> = servers.iter().map(Server::script).collect();
        let ejected = Ejected::default();
        // A balancer leaves such an endpoint alone long before the fifth failure.
        let settings = Settings::new().failures(2).timeouts(2);
        let layer = HealthLayer::new(settings)
            .classify_with(WithDeadline)
            .observe_with(ejected.clone())
            .dice(Dice::seeded(1));
        let connector = layer.layer(service_fn({
            let scripts = scripts.clone();
            move |instance: Instance| {
                let nth: usize = instance.id().as_str()[1..].parse().unwrap();
                let node = ForeignEndpoint::new(instance.id().clone(), scripts[nth].clone());
                async { Ok::<_, BoxError>(node) }
            }
        }));
        let instances = (0..5).map(|n| instance(&format!("e{n}")));
        let found = DiscoverLayer::new(Fixed::new(instances), "echo").layer(connector);
        let service = BalanceLayer::p2c()
            .classify_with(WithDeadline)
            .dice(Dice::seeded(2))
            .layer(found);
        Self {
            servers,
            scripts,
            ejected,
            service,
        }
    }

    fn states(&self) -> Vec<State> {
        let views = self.service.endpoints();
        views.iter().map(|view| view.state()).collect()
    }

    /// Calls for so many seconds, 200 times a second; how many failed, and who got how many.
    async fn serve(&self, seconds: u64) -> (usize, Vec<usize>) {
        let calls = || self.scripts.iter().map(Script::calls);
        let before: Vec<_> = calls().collect();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 * seconds {
            let timeout = Duration::from_millis(500);
            let call = CallOptions::new().timeout(timeout);
            let call = self.service.clone().oneshot(call);
            tasks.spawn(async move {
                let result = tokio::time::timeout(timeout, call).await;
                result.is_ok_and(|result| result.is_ok())
            });
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let well = tasks.join_all().await;
        let failed = well.iter().filter(|well| !**well).count();
        let got = calls().zip(before).map(|(now, before)| now - before);
        (failed, got.collect())
    }
}

#[tokio::test(start_paused = true)]
async fn of_five_one_fails_and_one_stalls_and_both_come_back() {
    let five = Five::start();
    let (failed, got) = five.serve(20).await;
    assert_eq!(failed, 0);
    assert!(got.iter().all(|got| *got > 600), "{got:?}");

    five.servers[1].becomes(Mood::Failing);
    five.servers[3].becomes(Mood::Stalled);
    let (failed, got) = five.serve(60).await;
    println!("one fails, one stalls: {failed} of 12000 failed, {got:?}");
    assert!(failed < 60, "{failed} failed");
    assert!(got[1] + got[3] < 60, "{got:?}");
    let states = five.states();
    for n in [0, 2, 4] {
        assert_eq!(states[n], State::Ready, "{states:?}");
    }
    let ejected = five.ejected.0.lock().unwrap().clone();
    assert_eq!(ejected, BTreeSet::from(["e1".to_owned(), "e3".to_owned()]));

    five.servers[1].becomes(Mood::Well);
    five.servers[3].becomes(Mood::Well);
    // The longest ejection, and a probe.
    five.serve(75).await;
    assert_eq!(five.states(), [State::Ready; 5]);
    five.serve(20).await;
    let (failed, got) = five.serve(20).await;
    println!("all are well again: {got:?}");
    assert_eq!(failed, 0);
    assert!(got.iter().all(|got| *got > 400), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn when_all_but_those_who_are_ejected_go_down_calls_are_answered() {
    bounded();
    let script = Script::by(|_, request: &u32| match request {
        0 => Step::fail_with("no"),
        n => Step::answer(*n),
    });
    let layer = HealthLayer::default().classify_with(ByResult);
    // The last two go down before or after the others fail.
    for down_first in [false, true] {
        let all: Arc<Mutex<Vec<Checked<ForeignEndpoint<Script<u32, u32>>, ByResult>>>> =
            Arc::default();
        let script = script.clone();
        let watched = layer.clone().isolated().layer(service_fn({
            move |instance: Instance| {
                let node = ForeignEndpoint::new(instance.id().clone(), script.clone());
                async { Ok::<_, BoxError>(node) }
            }
        }));
        let connector = service_fn({
            let all = Arc::clone(&all);
            move |instance: Instance| {
                let (watched, all) = (watched.clone(), Arc::clone(&all));
                async move {
                    let made = watched.oneshot(instance).await?;
                    all.lock().unwrap().push(made.clone());
                    Ok::<_, BoxError>(made)
                }
            }
        });
        let instances = ["a", "b", "c", "d"].map(instance);
        let found = DiscoverLayer::new(Fixed::new(instances), "echo").layer(connector);
        let service = BalanceLayer::p2c().classify_with(ByResult).layer(found);
        let patience = Duration::from_secs(1);
        service.wait_until_ready(patience).await.unwrap();
        let all = std::mem::take(&mut *all.lock().unwrap());
        let go_down = || {
            for one in &all[2..] {
                let availability = one.availability();
                availability.report(Reporter::Connection, State::Down);
            }
        };
        if down_first {
            go_down();
        }
        for one in &all[..2] {
            for _ in 0..5 {
                one.clone().oneshot(0).await.unwrap_err();
            }
        }
        if !down_first {
            go_down();
        }
        for _ in 0..100 {
            service.clone().oneshot(1).await.unwrap();
        }
    }
}

fn instance(id: &str) -> Instance {
    Instance::new("echo", id, "localhost", 80).unwrap()
}
