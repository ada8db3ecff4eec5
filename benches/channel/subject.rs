//! A client under test, erased once a turn and not once a call.

use super::{ladder, ours, peers, servers::Servers};
use bytes::Bytes;
use std::{pin::Pin, time::Duration};
use tonic::Response;
use ziggurat_benches::Stopwatch;
use ziggurat_testkit::{EchoReply, EchoRequest};

pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    caller: Box<dyn Fn(Duration) -> Calls>,
}

/// One caller's calls, one after the other: the milliseconds that each took.
pub(crate) type Calls = Pin<Box<dyn Future<Output = Result<Vec<f64>, Problem>> + Send>>;

const PAYLOAD: &[u8] = &[7; 100];

// === impl Subject ===

impl Subject {
    pub(crate) fn new<F, A>(name: &'static str, call: F) -> Self
    where
        F: Fn(EchoRequest) -> A + Clone + Send + 'static,
        A: Future<Output = Result<Response<EchoReply>, Problem>> + Send + 'static,
    {
        let caller = move |length: Duration| -> Calls {
            let call = call.clone();
            Box::pin(calls(name, call, length))
        };
        let caller = Box::new(caller);
        Self { name, caller }
    }

    /// Calls for so long, and then finishes its last call.
    pub(crate) fn caller(&self, length: Duration) -> Calls {
        (self.caller)(length)
    }
}

/// In the order in which they are shown; `tonic` is what the others are held against.
pub(crate) async fn all(servers: &Servers, ladder: bool) -> Result<Vec<Subject>, Problem> {
    let addresses = &servers.addresses;
    if ladder {
        let mut subjects = vec![peers::tonic(addresses).await?];
        subjects.extend(ladder::rungs(addresses).await?);
        subjects.push(ours::ziggurat(addresses).await?);
        return Ok(subjects);
    }
    Ok(vec![
        peers::tonic(addresses).await?,
        peers::tonic_balance(addresses)?,
        peers::tower(addresses)?,
        peers::tower_resilience(addresses).await?,
        ladder::hyper(addresses).await?,
        ours::ziggurat(addresses).await?,
    ])
}

async fn calls<F, A>(name: &'static str, call: F, length: Duration) -> Result<Vec<f64>, Problem>
where
    F: Fn(EchoRequest) -> A,
    A: Future<Output = Result<Response<EchoReply>, Problem>>,
{
    let length = length.as_secs_f64() * 1e3;
    let turn = Stopwatch::start();
    let mut took = Vec::new();
    while turn.millis() < length {
        let request = EchoRequest {
            payload: Bytes::from_static(PAYLOAD),
            ..EchoRequest::default()
        };
        let began = Stopwatch::start();
        let reply = call(request).await;
        took.push(began.millis());
        let reply = reply.map_err(|error| format!("{name}: a call failed: {error:?}"))?;
        if reply.get_ref().payload != PAYLOAD {
            return Err(format!("{name}: a call was answered with something else").into());
        }
    }
    Ok(took)
}
