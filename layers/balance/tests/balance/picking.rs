//! Where calls go.

use crate::feed::{Node, found};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tower::{Layer, Service, ServiceExt};
use ziggurat_balance::{Arrange, BalanceLayer, Call, Candidates, Endpoints, Policy, Settings};
use ziggurat_core::{Attempt, BoxError, ByResult, Dice, Grpc, Outcome, Picked, State, Tried};
use ziggurat_testkit::{
    Counting, Gate, Gauge, HttpScript, Script, Step, Strict, assert_clone, assert_send,
    assert_sync, tonic::Code,
};

type Plain = Script<u32, u32>;

fn answers() -> Plain {
    Script::new([Step::answer(1)])
}

#[tokio::test(start_paused = true)]
async fn of_three_of_which_one_is_dead_no_call_fails() {
    for down in [false, true] {
        let gate = Gate::default();
        let dead = Node::new("dead", Strict::around(answers()).gate(&gate));
        gate.fail_next(usize::MAX);
        if down {
            dead.report(State::Down);
        }
        let well = |id| Node::new(id, Strict::around(answers()));
        let (_feeder, feed) = found([well("a"), well("b"), dead]);
        let mut service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
        for n in 0..3_000 {
            let service = ServiceExt::<u32>::ready(&mut service).await.unwrap();
            service.call(n).await.unwrap();
        }
        assert!(
            gate.polls() < 100,
            "{} polls of a dead endpoint",
            gate.polls()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_endpoint_fails_to_get_ready_its_error_is_the_calls() {
    let gate = Gate::default();
    gate.fail_next(usize::MAX);
    let node = |id| Node::new(id, Strict::around(answers()).gate(&gate));
    let (_feeder, feed) = found([node("a"), node("b")]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let error: BoxError = service.oneshot(1).await.unwrap_err();
    assert!(ziggurat_core::error::find::<ziggurat_balance::NoEndpoints>(&*error).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_fast_gets_next_to_nothing() {
    let failing = Script::by(|_, _: &u32| Step::fail_with("no").after(Duration::from_millis(1)));
    let well = || Script::by(|_, _: &u32| Step::answer(1).after(Duration::from_millis(10)));
    let nodes = ["a", "b", "c", "d"].map(|id| Node::new(id, well()));
    let (_feeder, feed) = found(
        nodes
            .into_iter()
            .chain([Node::new("failing", failing.clone())]),
    );
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .dice(Dice::seeded(7))
        .layer(feed);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..5_000 {
        calls.spawn(service.clone().oneshot(n));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    calls.join_all().await;
    let share = failing.calls() as f64 / 5_000.0;
    println!("share of an endpoint that fails fast: {share}");
    assert!(share < 0.02, "{share}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_in_its_trailers_gets_next_to_nothing() {
    let answering = |step: Step<_>| HttpScript::new([step.after(Duration::from_millis(1))]);
    let failing = answering(Step::headers_then_status(Code::Unavailable, ""));
    let nodes = ["a", "b", "c", "d"].map(|id| Node::new(id, answering(Step::grpc("hi"))));
    let (_feeder, feed) = found(
        nodes
            .into_iter()
            .chain([Node::new("failing", failing.clone())]),
    );
    let service = BalanceLayer::p2c().layer(feed);
    for _ in 0..1_000 {
        let request = http::Request::new(String::new());
        let answer = service.clone().oneshot(request).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body())
            .await
            .unwrap();
    }
    assert!(failing.seen().len() < 20, "{}", failing.seen().len());
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_goes_to_the_other_endpoint_every_time() {
    let slow = || HttpScript::new([Step::grpc("hi").after(Duration::from_millis(1))]);
    let (_feeder, feed) = found([Node::new("a", slow()), Node::new("b", slow())]);
    let settings = Settings::new().attach_picked(true);
    let service = BalanceLayer::p2c().settings(settings).layer(feed);
    service
        .wait_until_ready(Duration::from_secs(1))
        .await
        .unwrap();
    for dropped in [false, true] {
        for _ in 0..500 {
            let tried = Tried::new();
            let attempt = |number| {
                let mut request = http::Request::new(String::new());
                let attempt = Attempt::new(number, tried.clone());
                request.extensions_mut().insert(attempt);
                service.clone().oneshot(request)
            };
            let mut first = tokio_test::task::spawn(attempt(1));
            if dropped {
                assert!(first.poll().is_pending());
                drop(first);
            } else {
                first.await.unwrap();
            }
            assert!(!tried.is_empty());
            let was_tried = |id| tried.contains(&ziggurat_core::EndpointId::new(id));
            let before = [was_tried("a"), was_tried("b")];
            let answer = attempt(2).await.unwrap();
            let picked = answer
                .extensions()
                .get::<Picked>()
                .unwrap()
                .endpoint()
                .clone();
            let index = usize::from(picked.as_str() == "b");
            assert!(!before[index], "the second attempt went to {picked} again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_else_is_left_those_who_are_ejected_are_called() {
    let node = |id: &str| Node::new(id, answers());
    let all = ["a", "b", "c", "d"].map(node);
    let (_feeder, feed) = found(all.clone());
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let calls = || {
        let views = service.endpoints();
        views.iter().map(|view| view.calls()).collect::<Vec<_>>()
    };
    let hundred = async || {
        for n in 0..100 {
            service.clone().oneshot(n).await.unwrap();
        }
    };
    hundred().await;
    all[2].eject();
    all[3].eject();
    let before = calls();
    hundred().await;
    assert_eq!(calls()[2..], before[2..], "the others are well");
    all[0].report(State::Down);
    all[1].report(State::Connecting);
    let before = calls();
    hundred().await;
    assert_eq!(calls()[..2], before[..2]);
    assert!(calls()[2] > before[2] && calls()[3] > before[3]);
    all[2].report(State::Down);
    all[3].report(State::Draining);
    service.oneshot(1).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_give_their_place_back_at_every_await() {
    let slow = || {
        let strict = Strict::around(Script::by(|_, _: &u32| {
            Step::answer(1).after(Duration::from_millis(10))
        }));
        Counting::new(strict.pending_first(2))
    };
    let ((one, gauge), (other, other_gauge)) = (slow(), slow());
    let (_feeder, feed) = found([Node::new("a", one), Node::new("b", other)]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    let pending = || {
        service
            .endpoints()
            .iter()
            .map(|view| view.pending())
            .sum::<u64>()
    };
    let call = || service.clone().oneshot(1);
    let check = |polls| assert_eq!(pending(), 0, "after {polls} polls");
    let answer = ziggurat_testkit::drop_at_every_await_then(call, check).await;
    answer.unwrap();
    assert_eq!(pending(), 0);
    gauge.assert_idle();
    other_gauge.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn the_observer_hears_how_every_call_ended() {
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<HashMap<Outcome, usize>>>);
    impl ziggurat_balance::Observer for Heard {
        fn finished(&self, _: &ziggurat_core::EndpointId, outcome: Outcome, _: Duration) {
            *self.0.lock().unwrap().entry(outcome).or_default() += 1;
        }
    }
    let script = Script::by(|n, _: &u32| match n % 2 {
        0 => Step::answer(1),
        _ => Step::fail_with("no"),
    });
    let (_feeder, feed) = found([Node::new("a", script)]);
    let heard = Heard::default();
    let service = BalanceLayer::p2c()
        .classify_with(ByResult)
        .observe_with(heard.clone())
        .layer(feed);
    for n in 0..10 {
        let _ = service.clone().oneshot(n).await;
    }
    let heard = heard.0.lock().unwrap().clone();
    assert_eq!(
        heard,
        HashMap::from([(Outcome::Success, 5), (Outcome::Failure, 5)])
    );
    let view = &service.endpoints()[0];
    assert_eq!((view.calls(), view.failures(), view.pending()), (10, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_readies_the_endpoint_that_it_goes_to_and_no_other_however_many_there_are() {
    for endpoints in [2, 50, 1_000, 5_000] {
        let gauge = Gauge::default();
        let node = |n| Node::new(&format!("e{n}"), Counting::into_gauge(answers(), &gauge));
        let (_feeder, feed) = found((0..endpoints).map(node));
        let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
        service
            .wait_until_ready(Duration::from_secs(1))
            .await
            .unwrap();
        let polls = gauge.polls();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..64 {
            let service = service.clone();
            tasks.spawn(async move {
                for n in 0..20 {
                    service.clone().oneshot(task + n).await.unwrap();
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert_eq!(gauge.polls() - polls, 64 * 20, "of {endpoints}");
    }
}

/// Takes as long for a call as the test wants.
#[derive(Clone)]
struct Ponders {
    begins: mpsc::Sender<()>,
    ends: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Arrange for Ponders {
    type Table = ();

    fn arrange(&self, _: &Endpoints<'_>) {}
}

impl Policy<u32> for Ponders {
    fn pick(&self, (): &(), among: &Candidates<'_>, call: &Call<'_, u32>) -> Option<usize> {
        if *call.request() == 1 {
            self.begins.send(()).unwrap();
            self.ends.lock().unwrap().recv().unwrap();
        }
        (0..among.len()).find(|index| among.is_open(*index))
    }
}

#[tokio::test]
async fn a_pick_that_takes_long_holds_up_neither_other_calls_nor_a_change() {
    let (begins, began) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    let ponders = Ponders {
        begins,
        ends: Arc::new(Mutex::new(ends)),
    };
    let (feeder, feed) = found([Node::new("a", answers())]);
    let service = BalanceLayer::new(ponders)
        .classify_with(ByResult)
        .layer(feed);
    let ready = service.wait_until_ready(Duration::from_secs(10));
    ready.await.unwrap();
    let mut slow = service.clone();
    let slow = tokio::task::spawn_blocking(move || slow.call(1));
    began.recv().unwrap();
    // It holds whatever it holds: had it a lock, nothing would go on.
    for _ in 0..100 {
        service.clone().oneshot(0).await.unwrap();
    }
    feeder.insert(Node::new("b", answers()));
    while service.endpoints().len() < 2 {
        tokio::task::yield_now().await;
    }
    service.clone().oneshot(0).await.unwrap();
    end.send(()).unwrap();
    slow.await.unwrap().await.unwrap();
}

#[test]
fn balancers_are_clone_send_and_sync_and_their_calls_are_send() {
    type Service = ziggurat_balance::Balance<Node<Plain>, Grpc>;
    assert_clone::<Service>();
    assert_send::<Service>();
    assert_sync::<Service>();
    type ByResults = ziggurat_balance::Balance<Node<Plain>, ByResult>;
    assert_send::<<ByResults as tower_service::Service<u32>>::Future>();
}
