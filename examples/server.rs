//! A server as one writes it: found by its name, and stopped without a lost call.
//!
//! ```text
//! cargo run --features etcd --example server -- --etcd http://127.0.0.1:2379
//! cargo run --example server        # on a store of its own: calls itself, and ends
//! ```
//!
//! Ctrl-c or SIGTERM takes it out of the registry first and has its health say so, so that nobody new
//! comes, and then waits until all calls and streams are over; a second one does not wait.

#[path = "shared/cli.rs"]
mod cli;
#[path = "shared/stop.rs"]
mod stop;

use cli::{Problem, Words};
use std::{net::SocketAddr, num::NonZeroU32, process::ExitCode, time::Duration};
use stop::Stop;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tonic::{
    Status,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use ziggurat::{
    client::Ziggurat,
    coord::Registry,
    core::Instance,
    limit::{Rate, RateLimitLayer},
    server::{Lifecycle, ServerLayer, Settings},
};
use ziggurat_testkit::{EchoClient, EchoHandler, EchoRequest, proto::echo_server::EchoServer};

const USAGE: &str = "\
usage: server [--etcd URL] [--service NAME] [--listen ADDRESS] [--limit N]

  --etcd URL        where to register, several with commas (a registry of its own, and ends)
  --service NAME    what to be found by (echo)
  --listen ADDRESS  where clients reach it, with port 0 for any (127.0.0.1:0)
  --limit N         calls a second that it admits, 1 to 1000000 (10000)";

const LIMIT: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// How long clients may take to hear that it leaves: a registry's word is there in milliseconds.
const GRACE: Duration = Duration::from_millis(500);
/// How many replies are on their way when the server is told to stop, of 1 KiB each.
const REPLIES: u32 = 1_000;

struct Args {
    etcd: Option<String>,
    service: String,
    listen: SocketAddr,
    limit: NonZeroU32,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, USAGE)
}

async fn run() -> Result<bool, Problem> {
    let args = Args::parse()?;
    let mut stop = Stop::new()?;
    let registry = Registry::new(cli::store(args.etcd.as_deref()).await?);
    let listener = TcpListener::bind(args.listen).await;
    let listener =
        listener.map_err(|error| Problem::Failed(format!("--listen {}: {error}", args.listen)))?;
    let instance = Instance::at(&args.service, listener.local_addr()?)?;
    let name = instance.id().to_string();

    let lifecycle = Lifecycle::new(Settings::new().grace(GRACE));
    let layer = ServerLayer::internal()
        .lifecycle(&lifecycle)
        .rate_limit(RateLimitLayer::new(Rate::per_second(args.limit.get())?));
    let (reporter, health) = tonic_health::server::health_reporter();
    let serving = Server::builder()
        .layer(layer)
        .add_service(health)
        .add_service(EchoServer::new(EchoHandler::new(name.clone())))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), lifecycle.closing());
    let mut server = JoinSet::new();
    server.spawn(lifecycle.run(serving));
    let mut health = JoinSet::new();
    health.spawn(say_how_it_does(reporter, lifecycle.clone()));

    // Found only once it serves. Through an outage this waits, and can be stopped.
    let registration = tokio::select! {
        registered = registry.register(instance).into_future() => registered?,
        () = stop.told() => return Ok(true),
    };
    lifecycle.on_leave(registration.deregister());
    println!("{name} serves {}", args.service);

    let (seen, mut told) = oneshot::channel();
    let mut show = JoinSet::new();
    if args.etcd.is_none() {
        show.spawn(call_while_it_stops(registry, args.service, seen));
    }
    tokio::select! {
        () = stop.told() => {}
        _ = &mut told => {}
        Some(ended) = server.join_next() => {
            ended???;
            return Err(Problem::Failed("the server ended by itself".to_owned()));
        }
    }

    println!("{name} stops");
    let cut_off = || Problem::Failed(format!("{name} cut off its last calls"));
    let drained = tokio::select! {
        drained = lifecycle.shutdown() => drained,
        () = stop.told() => return Err(cut_off()),
    };
    for problem in drained.problems {
        // It is found until its lease runs out, and refuses connections: clients go elsewhere.
        eprintln!("{name} is still registered: {problem}");
    }
    if drained.cut_off > 0 {
        return Err(cut_off());
    }
    while let Some(ended) = server.join_next().await {
        ended???;
    }
    println!("{name} has ended, and all its calls before it");
    match show.join_next().await {
        Some(replies) => {
            let replies = replies?;
            let replies = replies.map_err(|status| Problem::Failed(status.message().to_owned()))?;
            println!("the stream that it stopped in got {replies} of {REPLIES} replies");
            Ok(replies == REPLIES)
        }
        None => Ok(true),
    }
}

/// Has its health say that it leaves; and at last ends the streams of those who watch it, which would never
/// end by themselves.
async fn say_how_it_does(mut health: HealthReporter, lifecycle: Lifecycle) {
    lifecycle.leaving().await;
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    lifecycle.closing().await;
    health.clear_service_status("").await;
}

/// Tells the server to stop in the middle of a stream, and counts the replies to its end.
async fn call_while_it_stops(
    registry: Registry,
    service: String,
    stop: oneshot::Sender<()>,
) -> Result<u32, Status> {
    let ziggurat = Ziggurat::new(registry);
    let request = EchoRequest {
        repeat: REPLIES,
        payload: vec![0; 1 << 10].into(),
        ..EchoRequest::default()
    };
    let mut client = EchoClient::new(ziggurat.channel(&service));
    let mut replies = client.server_stream(request).await?.into_inner();
    let mut stop = Some(stop);
    let mut count = 0;
    while replies.message().await?.is_some() {
        count += 1;
        if let Some(stop) = stop.take() {
            let _it_waits = stop.send(());
        }
    }
    Ok(count)
}

// === impl Args ===

impl Args {
    fn parse() -> Result<Self, Problem> {
        let mut args = Self {
            etcd: None,
            service: "echo".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            limit: LIMIT,
        };
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--etcd" => args.etcd = Some(words.value(&word)?),
                "--service" => args.service = words.value(&word)?,
                "--listen" => {
                    let value = words.value(&word)?;
                    let address = value.parse::<SocketAddr>().ok();
                    // What is registered has to lead here.
                    let address = address.filter(|address| !address.ip().is_unspecified());
                    let takes = "an address that clients can reach, such as 127.0.0.1:0";
                    args.listen = address.ok_or_else(|| Problem::usage(&word, &value, takes))?;
                }
                "--limit" => args.limit = words.number(&word, 1_000_000)?,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}
