//! The order in which a server stops.

use super::{Drained, Inner, Phase};
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use std::mem;
use tokio::{task::JoinSet, time};
use ziggurat_core::BoxError;

/// What is to be done first of all.
#[derive(Default)]
pub(super) struct Goodbyes(Mutex<Vec<Goodbye>>);

type Goodbye = BoxFuture<'static, Result<(), BoxError>>;

// === impl Goodbyes ===

impl Goodbyes {
    pub(super) fn add(&self, goodbye: Goodbye) {
        self.0.lock().push(goodbye);
    }

    /// Says all of them at once. What is not said when this is dropped is dropped.
    async fn say(&self) -> Vec<String> {
        let mut said = JoinSet::new();
        for goodbye in mem::take(&mut *self.0.lock()) {
            said.spawn(goodbye);
        }
        let mut problems = Vec::new();
        while let Some(ended) = said.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => problems.push(error.to_string()),
                Err(panicked) => problems.push(panicked.to_string()),
            }
        }
        problems
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
    let said = time::timeout(settings.goodbyes, life.goodbyes.say()).await;
    let problems = said.unwrap_or_else(|_| vec!["goodbyes took too long".to_owned()]);
    for problem in &problems {
        tracing::warn!(problem, "a goodbye failed");
    }
    time::sleep(settings.grace).await;

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
