//! Five servers, a steady load, and everything that can go wrong with them, without a failed call.
//!
//! Starts five real gRPC servers on loopback, registers them in the embedded registry, and calls
//! them by name through the whole client stack while one is killed, one fails every call, one gets
//! ten times slower, one stops answering, and a new one joins. With the registry on etcd, others
//! that use it take part: servers are called from here, clients call the servers of here.
//!
//! ```text
//! cargo run --release --example quickstart -- --seconds 20 --rate 500 --json
//! cargo run --release --features etcd --example quickstart -- --etcd http://127.0.0.1:2379
//! ```

mod args;
#[path = "../shared/cli.rs"]
mod cli;
mod load;
mod scene;
mod screen;
mod tally;

use args::Args;
use cli::Problem;
use scene::Scene;
use screen::Screen;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tally::Tally;
use tokio::time::Instant;
use ziggurat::{client::Ziggurat, coord::Registry};

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, args::USAGE)
}

async fn run() -> Result<bool, Problem> {
    let args = Args::parse()?;
    let registry = Registry::new(cli::store(args.etcd.as_deref()).await?);
    let mut scene = Scene::open(registry.clone(), args.etcd.is_some()).await?;

    // This is all that a client needs: the name of the service.
    let ziggurat = Ziggurat::new(registry);
    let channel = ziggurat.channel(scene::SERVICE);
    channel.connect().await?;

    let tally = Arc::new(Tally::new());
    let mut screen = Screen::new(args.seconds);
    let begin = Instant::now();
    let mut load = load::start(channel.clone(), Arc::clone(&tally), args.rate, args.seconds);
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            ended = &mut load => {
                ended?;
                break;
            }
            _ = ticks.tick() => {
                let elapsed = begin.elapsed();
                let share = elapsed.as_secs_f64() / args.seconds.as_secs_f64();
                for news in scene.play(share).await? {
                    screen.say(elapsed, &news);
                }
                screen.show(elapsed, &channel.endpoints(), &tally);
            }
        }
    }
    let summary = tally.summary(&channel.endpoints());
    screen.finish(&channel.endpoints(), &tally);
    println!("{summary}");
    if args.json {
        println!("{}", summary.json());
    }
    channel.close().await;
    scene.close().await;
    Ok(summary.failed() == 0)
}
