//! A change at every point of a call's search: none is missed.

use crate::feed::{Feeder, Node, found, spawn};
use http::Request;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tower::{Layer, ServiceExt};
use ziggurat_balance::{Arrange, BalanceLayer, Call, Candidates, Endpoints, P2c, Policy};
use ziggurat_core::{CallOptions, State};
use ziggurat_testkit::{Gate, HttpScript, Step, Strict};

type Plain = Node<Strict<HttpScript>>;
type Change = Box<dyn FnOnce() + Send>;

/// Makes a change before or after one of its choices, as a thread does that comes in between.
#[derive(Clone)]
struct Meddling {
    inner: P2c,
    /// Choices begun and ended so far.
    points: Arc<AtomicUsize>,
    at: usize,
    change: Arc<Mutex<Option<Change>>>,
}

/// What keeps a call waiting until the change.
#[derive(Clone, Copy, Debug)]
enum Case {
    Nobody,
    Down,
    Busy,
    BusyAndReplaced,
    BusyAndGone,
}

// === impl Meddling ===

impl Arrange for Meddling {
    type Table = ();

    fn arrange(&self, _: &Endpoints<'_>) {}
}

impl<Req> Policy<Req> for Meddling {
    fn pick(&self, (): &(), among: &Candidates<'_>, call: &Call<'_, Req>) -> Option<usize> {
        self.pass();
        let picked = self.inner.pick(&(), among, call);
        self.pass();
        picked
    }
}

impl Meddling {
    fn pass(&self) {
        if self.points.fetch_add(1, Ordering::Relaxed) == self.at {
            self.make();
        }
    }

    /// Says whether it is made only now.
    fn make(&self) -> bool {
        let change = self.change.lock().unwrap().take();
        change.map(|change| change()).is_some()
    }
}

// === impl Case ===

impl Case {
    /// The endpoints at first, and the change.
    fn set_up(self) -> (Vec<Plain>, Box<dyn FnOnce(&Feeder<Plain>) + Send>) {
        let gate = Gate::closed();
        let well = |id| Node::new(id, Strict::around(HttpScript::new([Step::grpc("hi")])));
        let strict = Strict::around(HttpScript::new([Step::grpc("hi")]));
        let busy = Node::new("a", strict.gate(&gate));
        match self {
            Self::Nobody => (vec![], Box::new(move |feeder| feeder.insert(well("a")))),
            Self::Down => {
                let down = well("a").reported(State::Down);
                let change = down.clone();
                (vec![down], Box::new(move |_| change.report(State::Ready)))
            }
            Self::Busy => (vec![busy], Box::new(move |_| gate.open())),
            Self::BusyAndReplaced => (vec![busy], Box::new(move |feeder| feeder.insert(well("a")))),
            Self::BusyAndGone => (
                vec![busy.clone(), well("b").reported(State::Down)],
                Box::new(move |feeder| {
                    busy.report(State::Down);
                    feeder.remove("b");
                    feeder.insert(well("b"));
                }),
            ),
        }
    }

    /// Makes the change at point `at`; says whether the call came by there before it waited.
    async fn run(self, at: usize) -> bool {
        let (nodes, change) = self.set_up();
        let (feeder, feed) = found(nodes);
        let meddling = Meddling {
            inner: P2c::default(),
            points: Arc::default(),
            at,
            change: Arc::new(Mutex::new(Some(Box::new({
                let feeder = feeder.clone();
                move || change(&feeder)
            })))),
        };
        let service = BalanceLayer::new(meddling.clone()).layer(feed);
        let mut request = Request::new(String::new());
        let options = CallOptions::new().wait_for_ready(true);
        request.extensions_mut().insert(options);
        let call = spawn(service.oneshot(request));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let is_late = meddling.make();
        let answer = tokio::time::timeout(Duration::from_secs(60), call.end()).await;
        let missed = format!("{self:?}: a change at point {at} is missed");
        answer.expect(&missed).unwrap();
        !is_late
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_heard_at_whichever_point_it_comes() {
    let cases = [
        Case::Nobody,
        Case::Down,
        Case::Busy,
        Case::BusyAndReplaced,
        Case::BusyAndGone,
    ];
    for case in cases {
        let mut points = 0;
        while case.run(points).await {
            points += 1;
        }
        assert!(points >= 4, "{case:?} has {points} points");
    }
}
