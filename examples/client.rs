//! A client as one writes it: knows its servers by their name, and calls them steadily.
//!
//! ```text
//! cargo run --features etcd --example client -- --etcd http://127.0.0.1:2379
//! cargo run --example client        # on a store of its own, with two servers of its own
//! ```
//!
//! It ends after its time, or when it is told to by ctrl-c or SIGTERM, and fails if any call did.

#[path = "shared/cli.rs"]
mod cli;
#[path = "shared/stop.rs"]
mod stop;

use cli::{Problem, Words};
use std::{collections::BTreeMap, fmt, num::NonZeroU32, process::ExitCode, time::Duration};
use stop::Stop;
use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};
use tonic::{Request, Status};
use ziggurat::{
    client::{Channel, RequestExt, Ziggurat},
    coord::{Registration, Registry},
    core::Instance,
};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer};

const USAGE: &str = "\
usage: client [--etcd URL] [--service NAME] [--rate N] [--seconds N]

  --etcd URL      where to look for servers, several with commas (two servers of its own)
  --service NAME  what they are found by (echo)
  --rate N        calls a second, 1 to 50000 (200)
  --seconds N     how long to call, 1 to 86400 (5)";

const RATE: NonZeroU32 = NonZeroU32::new(200).unwrap();
const SECONDS: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// How long a caller is ready to wait.
const PATIENCE: Duration = Duration::from_secs(2);

struct Args {
    etcd: Option<String>,
    service: String,
    rate: NonZeroU32,
    seconds: NonZeroU32,
}

/// How many calls each server answered, and what became of the others.
#[derive(Default)]
struct Tally {
    answered: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, USAGE)
}

async fn run() -> Result<bool, Problem> {
    let args = Args::parse()?;
    let mut stop = Stop::new()?;
    let registry = Registry::new(cli::store(args.etcd.as_deref()).await?);
    let mut servers = Vec::new();
    if args.etcd.is_none() {
        for name in ["one", "two"] {
            servers.push(serve(&registry, &args.service, name).await?);
        }
    }

    // This is all that a client needs: the name of the service.
    let channel = Ziggurat::new(registry).channel(&args.service);
    let ready = channel.connect().await;
    ready.map_err(|error| Problem::Failed(format!("{}: {error}", args.service)))?;

    let mut tally = Tally::default();
    let mut calls = JoinSet::new();
    let mut left = u64::from(args.rate.get()) * u64::from(args.seconds.get());
    let mut due = time::interval(Duration::from_secs(1) / args.rate.get());
    // Late calls are made up for: a steady load does not wait for the servers.
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut seconds = time::interval(Duration::from_secs(1));
    while left > 0 || !calls.is_empty() {
        tokio::select! {
            _ = due.tick(), if left > 0 => {
                left -= 1;
                calls.spawn(call(EchoClient::new(channel.clone())));
            }
            Some(done) = calls.join_next() => tally.note(done?),
            _ = seconds.tick() => println!("{tally}"),
            () = stop.told() => left = 0,
        }
    }
    println!("{tally}");
    channel.close().await;
    Ok(tally.failed.is_empty())
}

/// Calls once, and answers which server replied.
async fn call(mut client: EchoClient<Channel>) -> Result<String, Status> {
    let message = EchoRequest {
        message: "hello".to_owned(),
        ..EchoRequest::default()
    };
    // An echo changes nothing, so it may be sent twice.
    let request = Request::new(message).with_timeout(PATIENCE).idempotent();
    Ok(client.unary(request).await?.into_inner().server)
}

/// A server of this process, for those who have no etcd.
async fn serve(
    registry: &Registry,
    service: &str,
    name: &str,
) -> Result<(EchoServer, Registration), Problem> {
    let server = EchoServer::setup().name(name).start().await;
    let instance = Instance::at(service, server.address())?;
    let registration = registry.register(instance).await?;
    Ok((server, registration))
}

// === impl Args ===

impl Args {
    fn parse() -> Result<Self, Problem> {
        let mut args = Self {
            etcd: None,
            service: "echo".to_owned(),
            rate: RATE,
            seconds: SECONDS,
        };
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--etcd" => args.etcd = Some(words.value(&word)?),
                "--service" => args.service = words.value(&word)?,
                "--rate" => args.rate = words.number(&word, 50_000)?,
                "--seconds" => args.seconds = words.number(&word, 86_400)?,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}

// === impl Tally ===

impl Tally {
    fn note(&mut self, answer: Result<String, Status>) {
        let count = match answer {
            Ok(server) => self.answered.entry(server),
            Err(status) => {
                let what = format!("{:?}: {}", status.code(), status.message());
                self.failed.entry(what)
            }
        };
        *count.or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failed.values().sum();
        let calls = failed + self.answered.values().sum::<u64>();
        write!(f, "{calls} calls, {failed} failed")?;
        for (server, count) in &self.answered {
            write!(f, ", {server} {count}")?;
        }
        for (what, count) in &self.failed {
            write!(f, "\n  {count} x {what}")?;
        }
        Ok(())
    }
}
