//! The other policies, behind a whole balancer.

use crate::feed::{Feed, Feeder, Node, found};
use http::Request;
use http_body_util::Full;
use std::{num::NonZeroUsize, time::Duration};
use tower::{Layer, ServiceExt};
use ziggurat_balance::{
    Arrange, Balance, BalanceLayer, Call, Candidates, Endpoints, LeastRequest, Policy, RingHash,
    RoundRobin, Settings,
};
use ziggurat_core::{
    Attempt, ByResult, CallOptions, Code, Deadline, Dice, Grpc, Rejection, State, Tried, error,
};
use ziggurat_testkit::{HttpScript, Script, Step};

type Ask = Request<Full<&'static [u8]>>;
type Server = Node<HttpScript>;

/// So many servers, and what they were asked.
struct Servers {
    nodes: Vec<Server>,
    scripts: Vec<HttpScript>,
    feeder: Feeder<Server>,
    feed: Option<Feed<Server>>,
}

/// In turn; panics over a set of two.
#[derive(Clone)]
struct Clumsy(RoundRobin);

/// Chooses whom there is not.
#[derive(Clone)]
struct Beside;

// === impl Clumsy ===

impl Arrange for Clumsy {
    type Table = <RoundRobin as Arrange>::Table;

    fn arrange(&self, endpoints: &Endpoints<'_>) -> Self::Table {
        assert!(endpoints.len() != 2, "this test panics here");
        self.0.arrange(endpoints)
    }
}

impl<Req> Policy<Req> for Clumsy {
    fn pick(
        &self,
        table: &Self::Table,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize> {
        self.0.pick(table, among, call)
    }
}

// === impl Beside ===

impl Arrange for Beside {
    type Table = ();

    fn arrange(&self, _: &Endpoints<'_>) {}
}

impl<Req> Policy<Req> for Beside {
    fn pick(&self, (): &(), among: &Candidates<'_>, _: &Call<'_, Req>) -> Option<usize> {
        Some(among.len() + 7)
    }
}

// === impl Servers ===

impl Servers {
    fn of(weights: &[u32]) -> Self {
        let script = || HttpScript::new([Step::grpc("hi").after(Duration::from_millis(1))]);
        let scripts: Vec<_> = weights.iter().map(|_| script()).collect();
        let nodes = scripts.iter().zip(weights).enumerate();
        let node = |(n, (script, weight)): (usize, (&HttpScript, &u32))| {
            Node::new(&format!("e{n}"), script.clone()).weighing(*weight)
        };
        let nodes: Vec<_> = nodes.map(node).collect();
        let (feeder, feed) = found(nodes.clone());
        Self {
            nodes,
            scripts,
            feeder,
            feed: Some(feed),
        }
    }

    fn balanced<P: Arrange>(&mut self, policy: P) -> Balance<Server, Grpc, P> {
        BalanceLayer::new(policy)
            .settings(Settings::new().slow_start(Duration::ZERO))
            .layer(self.feed.take().unwrap())
    }

    /// Who has been asked how often.
    fn calls(&self) -> Vec<usize> {
        self.scripts.iter().map(HttpScript::calls).collect()
    }
}

fn ask() -> Ask {
    Request::new(Full::new(&b""[..]))
}

fn keyed(key: u64) -> Ask {
    let mut ask = ask();
    let options = CallOptions::new().hash_key(key);
    ask.extensions_mut().insert(options);
    ask
}

#[tokio::test(start_paused = true)]
async fn round_robin_calls_each_as_often_as_it_is_heavy() {
    let mut servers = Servers::of(&[3, 2, 1]);
    let service = servers.balanced(RoundRobin::weighted().dice(Dice::seeded(1)));
    for _ in 0..60 {
        service.clone().oneshot(ask()).await.unwrap();
    }
    let calls = servers.calls();
    for (calls, due) in calls.iter().zip([30_usize, 20, 10]) {
        assert!(calls.abs_diff(due) <= 2, "{calls} of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_has_one_endpoint_and_comes_back_to_it() {
    let mut servers = Servers::of(&[1; 5]);
    let service = servers.balanced(RingHash::new());
    let home = |before: &[usize], after: &[usize]| {
        let grown = before.iter().zip(after).position(|(was, is)| was != is);
        grown.unwrap()
    };
    let ten = async || {
        let before = servers.calls();
        for _ in 0..10 {
            service.clone().oneshot(keyed(7)).await.unwrap();
        }
        let after = servers.calls();
        let home = home(&before, &after);
        assert_eq!(after[home] - before[home], 10, "all go to one");
        home
    };
    let first = ten().await;
    servers.nodes[first].report(State::Down);
    let second = ten().await;
    assert_ne!(first, second);
    servers.nodes[first].report(State::Ready);
    assert_eq!(ten().await, first);
    servers.feeder.remove(&format!("e{first}"));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(ten().await, second);
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_with_a_key_goes_to_another_endpoint() {
    let mut servers = Servers::of(&[1; 3]);
    let service = servers.balanced(RingHash::new());
    for key in 0..100 {
        let tried = Tried::new();
        let before = servers.calls();
        for number in 1..=2 {
            let mut ask = keyed(key);
            let attempt = Attempt::new(number, tried.clone());
            ask.extensions_mut().insert(attempt);
            service.clone().oneshot(ask).await.unwrap();
        }
        let after = servers.calls();
        assert!(before.iter().zip(&after).all(|(was, is)| is - was < 2));
    }
}

#[tokio::test(start_paused = true)]
async fn the_fewest_requests_keep_calls_from_one_that_stalls() {
    let stalled = Script::<u32, u32>::by(|_, _| Step::never());
    let well = Script::<u32, u32>::new([Step::answer(1).after(Duration::from_millis(1))]);
    let (_feeder, feed) = found([
        Node::new("stalled", stalled.clone()),
        Node::new("a", well.clone()),
        Node::new("b", well.clone()),
    ]);
    let ten = NonZeroUsize::new(10).unwrap();
    let policy = LeastRequest::new().choices(ten).unwrap();
    let service = BalanceLayer::new(policy)
        .classify_with(ByResult)
        .layer(feed);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..200 {
        calls.spawn(service.clone().oneshot(n));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(stalled.calls() < 5, "{} calls", stalled.calls());
    assert!(well.calls() > 190);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_over_one_set_of_endpoints_is_asked_about_the_next() {
    let mut servers = Servers::of(&[1; 3]);
    servers.feeder.remove("e1");
    servers.feeder.remove("e2");
    let service = servers.balanced(Clumsy(RoundRobin::plain()));
    for n in 0..3 {
        for _ in 0..6 {
            service.clone().oneshot(ask()).await.unwrap();
        }
        if let Some(node) = servers.nodes.get(n + 1) {
            servers.feeder.insert(node.clone());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(service.discovery_errors(), 1, "of two");
    assert_eq!(service.endpoints().len(), 3);
    assert!(servers.calls()[1..].iter().all(|calls| *calls > 0));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_chooses_whom_there_is_not_fails_calls_in_time() {
    let mut servers = Servers::of(&[1; 3]);
    let service = servers.balanced(Beside);
    let code = |error: &tower::BoxError| error::find::<Rejection>(&**error).map(Rejection::code);
    let failed = service.clone().oneshot(ask()).await.unwrap_err();
    assert_eq!(code(&failed), Some(Code::Unavailable));
    let mut patient = ask();
    let options = CallOptions::new().wait_for_ready(true);
    patient.extensions_mut().insert(options);
    let second = Deadline::after(Duration::from_secs(1));
    patient.extensions_mut().insert(second);
    let failed = service.oneshot(patient).await.unwrap_err();
    assert_eq!(code(&failed), Some(Code::DeadlineExceeded));
    assert_eq!(servers.calls(), [0; 3]);
}
