//! Callers who call whether or not they are answered.

use super::{cli::Problem, scene::Plan, tally::Tally};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use ziggurat::core::{Criticality, Dice};
use ziggurat_testkit::{
    EchoClient, EchoRequest,
    tonic::{
        Request, Status,
        metadata::{MetadataKey, MetadataValue},
        transport::{Channel, Endpoint},
    },
};

/// So many connections: a server allows each only so many calls at once, and who waits for that
/// waits at the client, unseen by the server.
const CONNECTIONS: usize = 8;

/// Many callers, who know nothing of one another.
pub(crate) struct Load {
    clients: Vec<EchoClient<Channel>>,
    dice: Dice,
    plan: Plan,
}

// === impl Load ===

impl Load {
    pub(crate) async fn connect(address: SocketAddr, plan: Plan) -> Result<Self, Problem> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(EchoClient::new(endpoint.connect().await?));
        }
        let dice = Dice::seeded(plan.seed);
        Ok(Self {
            clients,
            dice,
            plan,
        })
    }

    /// Offers `rate` calls a second, at times that know nothing of one another (a Poisson process);
    /// then waits until the last has ended.
    pub(crate) async fn offer(&self, rate: f64, length: Duration) -> Result<Tally, Problem> {
        let tally = Arc::new(Tally::new(Instant::now(), length));
        let mut calls = JoinSet::new();
        let mut due = Instant::now();
        let end = due + length;
        for turn in 0.. {
            due += self.gap(rate);
            if due >= end {
                break;
            }
            // What is late is made up for: the callers do not wait for one another.
            sleep_until(due).await;
            let client = self.clients[turn % self.clients.len()].clone();
            let level = match self.dice.fraction() < self.plan.critical {
                true => Criticality::CriticalPlus,
                false => Criticality::Sheddable,
            };
            calls.spawn(call(
                client,
                level,
                self.plan.patience(),
                Arc::clone(&tally),
            ));
            while calls.try_join_next().is_some() {}
        }
        while let Some(ended) = calls.join_next().await {
            ended?;
        }
        let shared = || Problem::Failed("a call has not ended".to_owned());
        Arc::into_inner(tally).ok_or_else(shared)
    }

    fn gap(&self, rate: f64) -> Duration {
        Duration::from_secs_f64(-(1.0 - self.dice.fraction()).ln() / rate)
    }
}

async fn call(
    mut client: EchoClient<Channel>,
    level: Criticality,
    patience: Duration,
    tally: Arc<Tally>,
) {
    let mut request = Request::new(EchoRequest {
        message: "hello".to_owned(),
        ..EchoRequest::default()
    });
    // The client gives up then, and tells the server so.
    request.set_timeout(patience);
    let header = MetadataKey::from_static("x-criticality");
    let value = MetadataValue::from_static(level.as_str());
    request.metadata_mut().insert(header, value);
    let sent = Instant::now();
    let answer = client.unary(request).await;
    let took = sent.elapsed();
    let answer = match answer {
        Ok(_) if took > patience => Err(Status::deadline_exceeded("answered too late")),
        answer => answer.map(drop),
    };
    tally.ended(level, sent, took, answer);
}
