//! Everything that services coordinate by, used by two who have nothing but the store in common.
//!
//! ```text
//! cargo run --example coord
//! cargo run --features etcd --example coord -- --etcd http://127.0.0.1:2379 --json
//! ```
//!
//! Each part says what it did, and checks it; the program fails if any of them did.

mod check;
#[path = "../shared/cli.rs"]
mod cli;
mod config;
mod election;
mod ids;
mod lock;
mod snowflakes;

use cli::{Problem, Words};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::{num::NonZeroU32, process::ExitCode, sync::Arc};
use ziggurat::{coord::Store, core::Dice};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "\
usage: coord [--etcd URL] [--ids N] [--json]

  --etcd URL  the store, several with commas (the memory of this process)
  --ids N     how many unique ids to make, 1 to 10000000 (20000)
  --json      end with one line of JSON";

const IDS: NonZeroU32 = NonZeroU32::new(20_000).unwrap();

struct Args {
    etcd: Option<String>,
    ids: NonZeroU32,
    json: bool,
}

/// Two who coordinate: on a cluster, each with connections of its own.
struct Stage {
    one: Arc<dyn Store>,
    two: Arc<dyn Store>,
    /// What nobody else uses, on a store that others use as well.
    name: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, USAGE)
}

async fn run() -> Result<bool, Problem> {
    let args = Args::parse()?;
    let one = cli::store(args.etcd.as_deref()).await?;
    let two = match &args.etcd {
        Some(urls) => cli::store(Some(urls)).await?,
        None => Arc::clone(&one),
    };
    let name = format!("coord-{:016x}", Dice::new().number());
    let stage = Stage { one, two, name };
    let parts: [(&str, BoxFuture<'_, Result<Value, BoxError>>); 5] = [
        ("lock", Box::pin(lock::run(&stage))),
        ("election", Box::pin(election::run(&stage))),
        ("config", Box::pin(config::run(&stage))),
        ("instance_ids", Box::pin(ids::run(&stage))),
        (
            "snowflake",
            Box::pin(snowflakes::run(&stage, args.ids.get())),
        ),
    ];
    let mut all = true;
    let mut report = Map::new();
    for (part, run) in parts {
        let ended = run.await;
        all &= ended.is_ok();
        let figures = match ended {
            Ok(mut figures) => {
                println!("{part}: {figures}");
                figures["ok"] = true.into();
                figures
            }
            Err(error) => {
                eprintln!("{part} failed: {error}");
                json!({"ok": false, "error": error.to_string()})
            }
        };
        report.insert(part.to_owned(), figures);
    }
    report.insert("ok".to_owned(), all.into());
    if args.json {
        println!("{}", Value::Object(report));
    }
    Ok(all)
}

// === impl Args ===

impl Args {
    fn parse() -> Result<Self, Problem> {
        let mut args = Self {
            etcd: None,
            ids: IDS,
            json: false,
        };
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--etcd" => args.etcd = Some(words.value(&word)?),
                "--ids" => args.ids = words.number(&word, 10_000_000)?,
                "--json" => args.json = true,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}
