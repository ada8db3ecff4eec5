//! Calls that come at random times, and how they end.

use super::{backend::Answer, scenario::Scenario, simulation::Pace, world::World};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};
use tower::{BoxError, Service, ServiceExt};
use ziggurat_core::{CallOptions, Dice};

pub(crate) type Ask = Request<Full<Bytes>>;

/// How the calls ended that were measured.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) successes: Vec<Duration>,
    pub(crate) errors: u64,
    pub(crate) misses: u64,
}

/// Every call must be over by then.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Calls `service` for the time of the scenario, and `look`s at the world every second that is
/// measured, and at its begin.
pub(crate) async fn drive<S>(
    mut service: S,
    world: &World,
    scenario: &Scenario,
    pace: Pace,
    dice: &Dice,
    mut look: impl FnMut(&World),
) -> Tally
where
    S: Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static>,
{
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut calls = JoinSet::new();
    let begin = Instant::now() + pace.warm_up;
    let end = begin + pace.length;
    let mut changes = scenario.changes.iter().peekable();
    let (mut next, mut second) = (Instant::now(), begin);
    while next < end {
        tokio::time::sleep_until(next).await;
        while calls.try_join_next().is_some() {}
        while next >= second {
            look(world);
            second += Duration::from_secs(1);
        }
        let due = |at: f64| next >= begin + pace.length.mul_f64(at);
        while let Some((_, change)) = changes.next_if(|(at, _)| due(*at)) {
            world.apply(*change);
        }
        let Ok(ready) = service.ready().await else {
            continue;
        };
        let (call, began) = (ready.call(ask()), Instant::now());
        let measured = (next >= begin).then(|| Arc::clone(&tally));
        calls.spawn(async move {
            let result = tokio::time::timeout(TIMEOUT, call).await;
            if let Some(tally) = measured {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.add(result.ok(), began.elapsed());
            }
        });
        next += Duration::from_secs_f64(-(1.0 - dice.fraction()).ln() / scenario.rate);
    }
    look(world);
    calls.join_all().await;
    std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner))
}

// === impl Tally ===

impl Tally {
    /// `None` is a call that was dropped at its deadline.
    fn add(&mut self, result: Option<Result<Answer, BoxError>>, took: Duration) {
        match result {
            Some(Ok(answer)) if is_ok(&answer) => self.successes.push(took),
            Some(_) if took < TIMEOUT => self.errors += 1,
            _ => self.misses += 1,
        }
    }
}

fn is_ok(answer: &Answer) -> bool {
    answer.headers().get("grpc-status") == Some(&HeaderValue::from_static("0"))
}

fn ask() -> Ask {
    let mut ask = Request::new(Full::default());
    *ask.method_mut() = Method::POST;
    *ask.uri_mut() = http::Uri::from_static("http://users/users.v1.Users/Get");
    let grpc = HeaderValue::from_static("application/grpc");
    ask.headers_mut().insert(header::CONTENT_TYPE, grpc);
    ask.extensions_mut()
        .insert(CallOptions::new().timeout(TIMEOUT));
    ask
}
