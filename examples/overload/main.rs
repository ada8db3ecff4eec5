//! A server that is offered three times what it can do, with the layers of a server and without.
//!
//! Both are the same tonic server on loopback, whose handler can do so many calls a second and no
//! more. The bare one lets every call wait until its caller has gone: what it still does, it does for
//! nobody. The other turns away at once what it cannot do, the less critical first, and finds out by
//! itself how much that is.
//!
//! ```text
//! cargo run --release --example overload -- --seconds 10 --capacity 300 --json
//! ```

mod args;
#[path = "../shared/cli.rs"]
#[expect(dead_code, reason = "nobody is looked up here")]
mod cli;
mod handler;
mod load;
mod report;
mod scene;
mod server;
mod tally;
mod workers;

use args::Args;
use cli::Problem;
use server::Kind;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::end(run().await, args::USAGE)
}

async fn run() -> Result<bool, Problem> {
    let Args { plan, json } = Args::parse()?;
    println!("{}\n", plan.line());
    let bare = plan.play(Kind::Bare).await?;
    println!("bare: {bare}\n");
    let stack = plan.play(Kind::Stack).await?;
    println!("stack: {stack}\n");
    println!("{}", report::table(&bare, &stack));
    if json {
        println!("{}", report::both(&bare, &stack));
    }
    Ok(scene::holds(&bare, &stack))
}
