//! A steady load of calls.

use crate::tally::Tally;
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior},
};
use ziggurat::client::{Channel, RequestExt};
use ziggurat_testkit::{EchoClient, EchoRequest, tonic::Request};

/// How long a caller is ready to wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls `rate` times a second for as long as told, whether or not earlier calls have ended.
pub(crate) fn start(
    channel: Channel,
    tally: Arc<Tally>,
    rate: NonZeroU32,
    length: Duration,
) -> JoinHandle<()> {
    #[allow(clippy::disallowed_methods, reason = "the caller waits for it to end")]
    tokio::spawn(async move {
        let mut calls = JoinSet::new();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.get());
        // Late ticks are made up for: a steady load does not wait for the servers.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let total = u64::from(rate.get()) * length.as_secs();
        for _ in 0..total {
            ticks.tick().await;
            calls.spawn(call(EchoClient::new(channel.clone()), Arc::clone(&tally)));
            while calls.try_join_next().is_some() {}
        }
        calls.join_all().await;
    })
}

async fn call(mut client: EchoClient<Channel>, tally: Arc<Tally>) {
    let message = EchoRequest {
        message: "hello".to_owned(),
        ..EchoRequest::default()
    };
    // An echo changes nothing, so it may be sent twice.
    let request = Request::new(message).with_timeout(PATIENCE).idempotent();
    let begin = Instant::now();
    let answer = client.unary(request).await;
    let took = begin.elapsed();
    match answer {
        Ok(reply) => tally.answered(&reply.into_inner().server, took),
        Err(status) => tally.failed(&status, took),
    }
}
