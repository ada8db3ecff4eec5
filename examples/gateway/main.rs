//! A REST gateway in front of two gRPC services: JSON in, gRPC out, and one deadline, one trace and one
//! set of limits from the browser to the last backend. Copy it, and replace the services.
//!
//! ```text
//! cargo run --example gateway                                 # checks itself over HTTP, and ends
//! cargo run --example gateway -- --listen 127.0.0.1:8080      # serves until ctrl-c or SIGTERM
//!
//! curl -i -d '{"name": "Ada"}' -H 'content-type: application/json' http://127.0.0.1:8080/greetings
//! curl -i -d '{"name": "Ada", "think_ms": 5000}' -H 'content-type: application/json' \
//!      -H 'x-timeout-ms: 200' http://127.0.0.1:8080/greetings      # 504, in 200 ms
//! curl -N http://127.0.0.1:8080/news/rust/5                        # as server-sent events
//! curl http://127.0.0.1:8080/metrics                               # and /healthz, /readyz
//! ```
//!
//! The two services are started in this process, on a registry of its own; with `--etcd` they are those
//! that are registered there as `greeter` and `news`, such as `--example server -- --service news`.

// A test of the house takes these two as they are.
#[path = "app.rs"]
mod app;
#[path = "backends.rs"]
mod backends;
mod check;
#[path = "../shared/cli.rs"]
mod cli;
#[path = "../shared/stop.rs"]
mod stop;

use app::{App, Options};
use backends::Backends;
use cli::{Problem, Words};
use std::{net::SocketAddr, process::ExitCode};
use stop::Stop;
use ziggurat::{client::Ziggurat, coord::Registry};

const USAGE: &str = "\
usage: gateway [--listen ADDRESS] [--etcd URL] [--limit N]

  --listen ADDRESS  serve here until told to stop (checks itself over HTTP, and ends)
  --etcd URL        where the services are registered, several with commas (starts them itself)
  --limit N         requests a second of each client, 1 to 1000000 (50)";

struct Args {
    listen: Option<SocketAddr>,
    etcd: Option<String>,
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, USAGE)
}

async fn run() -> Result<bool, Problem> {
    let Args {
        listen,
        etcd,
        options,
    } = Args::parse()?;
    let mut stop = Stop::new()?;
    let registry = Registry::new(cli::store(etcd.as_deref()).await?);
    let _backends = match etcd {
        Some(_) => None,
        None => Some(Backends::start(&registry).await?),
    };
    let ziggurat = Ziggurat::new(registry);
    if listen.is_none() {
        return Ok(check::all(&ziggurat).await?);
    }

    let app = App::start(&ziggurat, listen, options).await?;
    println!("listening on http://{}", app.address());
    stop.told().await;
    println!("stops");
    let drained = tokio::select! {
        drained = app.stop() => drained?,
        () = stop.told() => return Err(Problem::Failed("cut off its last requests".to_owned())),
    };
    println!("has ended: {drained:?}");
    Ok(drained.is_clean())
}

// === impl Args ===

impl Args {
    fn parse() -> Result<Self, Problem> {
        let mut args = Self {
            listen: None,
            etcd: None,
            options: Options::default(),
        };
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--listen" => {
                    let value = words.value(&word)?;
                    let takes = "an address such as 127.0.0.1:8080";
                    let address = value.parse();
                    args.listen = Some(address.map_err(|_| Problem::usage(&word, &value, takes))?);
                }
                "--etcd" => args.etcd = Some(words.value(&word)?),
                "--limit" => args.options.limit = words.number(&word, 1_000_000)?,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}
