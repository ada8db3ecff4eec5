//! Five servers, a steady load, and everything that can go wrong with them, without a failed call.
//!
//! Starts five real gRPC servers on loopback, registers them in the embedded registry, and calls
//! them by name through the whole client stack while one is killed, one fails every call, one gets
//! ten times slower, one stops answering, and a new one joins.
//!
//! ```text
//! cargo run --release --example quickstart -- --seconds 20 --rate 500 --json
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "the program ends when its own machine gives no socket"
)]

mod args;
mod load;
mod scene;
mod screen;
mod tally;

use args::Args;
use scene::Scene;
use screen::Screen;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tally::Tally;
use tokio::time::Instant;
use ziggurat::{client::Ziggurat, coord::Registry};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let args = match Args::parse() {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", args::USAGE);
            return Ok(ExitCode::from(2));
        }
    };
    let registry = Registry::memory();
    let mut scene = Scene::open(&registry).await?;

    // This is all that a client needs: the name of the service.
    let ziggurat = Ziggurat::new(registry.clone());
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
                for news in scene.play(&registry, share).await? {
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
    Ok(if summary.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
