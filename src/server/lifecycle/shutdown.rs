//! The order in which a server stops.

use super::{Drained, Inner, Phase};
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use std::{convert::Infallible, mem};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat_core::{BoxError, Deadline};

/// What is to be done first of all.
#[derive(Default)]
pub(super) struct Goodbyes {
    list: Mutex<List>,
    more: Notify,
}

#[derive(Default)]
struct List {
    waiting: Vec<Goodbye>,
    /// It has left.
    closed: bool,
}

/// Those that are being said; dropped, they are dropped.
struct Saying<'a> {
    goodbyes: &'a Goodbyes,
    said: JoinSet<Result<(), BoxError>>,
    problems: Vec<String>,
}

type Goodbye = BoxFuture<'static, Result<(), BoxError>>;

// === impl Goodbyes ===

impl Goodbyes {
    /// One more, unless it has left.
    pub(super) fn add(&self, goodbye: Goodbye) {
        let mut list = self.list.lock();
        if !list.closed {
            list.waiting.push(goodbye);
            self.more.notify_one();
        }
    }

    fn close(&self) {
        let left = {
            let mut list = self.list.lock();
            list.closed = true;
            mem::take(&mut list.waiting)
        };
        // Without the lock: what is dropped here is a user's.
        drop(left);
    }
}

// === impl Saying ===

impl<'a> Saying<'a> {
    fn new(goodbyes: &'a Goodbyes) -> Self {
        Self {
            goodbyes,
            said: JoinSet::new(),
            problems: Vec::new(),
        }
    }

    /// Says all that are there, at once, and those that come meanwhile.
    async fn all(&mut self) {
        loop {
            let waiting = mem::take(&mut self.goodbyes.list.lock().waiting);
            for goodbye in waiting {
                self.said.spawn(goodbye);
            }
            tokio::select! {
                ended = self.said.join_next() => match ended {
                    None => return,
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => self.problems.push(error.to_string()),
                    Some(Err(panicked)) => self.problems.push(panicked.to_string()),
                },
                () = self.goodbyes.more.notified() => {}
            }
        }
    }

    /// The same, and goes on.
    async fn all_that_come(&mut self) -> Infallible {
        loop {
            self.all().await;
            self.goodbyes.more.notified().await;
        }
    }

    /// Says what is left until then, and drops the rest.
    async fn finish(&mut self, until: Instant) {
        if time::timeout_at(until, self.all()).await.is_err() {
            self.said = JoinSet::new();
            self.problems.push("goodbyes took too long".to_owned());
        }
    }
}

pub(super) async fn run(life: &Inner) -> Drained {
    let settings = life.settings;
    let advance = |to: Phase| {
        tracing::info!(phase = ?to, in_flight = life.calls.get(), "shutdown");
        life.phase
            .send_if_modified(|phase| mem::replace(phase, to.max(*phase)) != *phase);
    };

    advance(Phase::Leaving);
    // What is too far for the clock is far enough.
    let most = Deadline::after(settings.goodbyes).instant();
    let mut saying = Saying::new(&life.goodbyes);
    saying.finish(most).await;
    // Who has to say goodbye only now, such as a registration that was under way, still can.
    let _grace_is_over = time::timeout(settings.grace, saying.all_that_come()).await;
    saying.finish(most).await;
    life.goodbyes.close();
    let problems = mem::take(&mut saying.problems);
    for problem in &problems {
        tracing::warn!(problem, "a goodbye failed");
    }

    advance(Phase::Closing);
    let ended = async {
        // A server that has ended has no connection left which could bring a call.
        life.servers.none().await;
        life.calls.none().await;
    };
    let in_time = time::timeout(settings.drain, ended).await.is_ok();
    let cut_off = if in_time { 0 } else { life.calls.get() };
    advance(Phase::Stopped);
    Drained { cut_off, problems }
}
