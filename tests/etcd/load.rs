//! A steady load of calls, and what became of them.

use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::watch, task::JoinSet, time};
use ziggurat::client::{Channel, RequestExt};
use ziggurat_testkit::{EchoClient, EchoRequest, tonic::Request};

/// Calls a hundred times a second until it is stopped.
pub(super) struct Load {
    tally: watch::Receiver<Tally>,
    stop: watch::Sender<bool>,
    task: JoinSet<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// How many calls ended.
    pub(super) calls: u64,
    /// How many were answered by each server.
    pub(super) answered: BTreeMap<String, u64>,
    /// What was wrong with the others.
    pub(super) failed: Vec<String>,
    /// The fewest endpoints that the channel knew at the end of a call.
    pub(super) fewest: usize,
}

/// How long anything may take on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

// === impl Load ===

impl Load {
    pub(super) async fn start(channel: Channel) -> Self {
        channel.connect().await.unwrap();
        let (tell, tally) = watch::channel(Tally {
            calls: 0,
            answered: BTreeMap::new(),
            failed: Vec::new(),
            fewest: usize::MAX,
        });
        let (stop, stopped) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut calls = JoinSet::new();
            let mut due = time::interval(Duration::from_millis(10));
            while !*stopped.borrow() {
                due.tick().await;
                calls.spawn(call(channel.clone(), tell.clone()));
                while calls.try_join_next().is_some() {}
            }
            calls.join_all().await;
        });
        Self { tally, stop, task }
    }

    /// Waits until what became of the calls so far is this.
    pub(super) async fn until(&self, reached: impl Fn(&Tally) -> bool) -> Tally {
        let mut tally = self.tally.clone();
        let waiting = time::timeout(LONG, tally.wait_for(reached));
        match waiting.await {
            Ok(reached) => reached.unwrap().clone(),
            Err(_) => panic!("still waiting at {:?}", *self.tally.borrow()),
        }
    }

    /// Waits until so many more calls have ended.
    pub(super) async fn more(&self, calls: u64) -> Tally {
        let until = self.tally.borrow().calls + calls;
        self.until(|tally| tally.calls >= until).await
    }

    /// Waits until this server has answered so many more calls.
    pub(super) async fn more_of(&self, server: &str, calls: u64) -> Tally {
        let count = |tally: &Tally| tally.answered.get(server).copied().unwrap_or(0);
        let until = count(&self.tally.borrow()) + calls;
        self.until(|tally| count(tally) >= until).await
    }

    /// Calls no more, and waits for the calls that are under way.
    pub(super) async fn end(mut self) -> Tally {
        self.stop.send_replace(true);
        self.task.join_next().await.unwrap().unwrap();
        self.tally.borrow().clone()
    }
}

async fn call(channel: Channel, tell: watch::Sender<Tally>) {
    let request = Request::new(EchoRequest::default())
        .with_timeout(Duration::from_secs(10))
        .idempotent();
    let answer = EchoClient::new(channel.clone()).unary(request).await;
    let known = channel.endpoints().len();
    tell.send_modify(|tally| {
        tally.calls += 1;
        tally.fewest = tally.fewest.min(known);
        match answer {
            Ok(reply) => {
                let server = reply.into_inner().server;
                *tally.answered.entry(server).or_default() += 1;
            }
            Err(status) => tally.failed.push(status.to_string()),
        }
    });
}
