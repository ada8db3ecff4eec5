//! The command line.

use super::{
    cli::{Problem, Words},
    scene::Plan,
};
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: overload [--seconds N] [--capacity N] [--json]

  --seconds N   how long each server is offered three times what it can do, 1 to 600 (5)
  --capacity N  what it can do, in calls a second, 10 to 2000 (300)
  --json        end with one line of JSON";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) plan: Plan,
    pub(crate) json: bool,
}

// === impl Args ===

impl Args {
    pub(crate) fn parse() -> Result<Self, Problem> {
        let mut args = Self::default();
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => {
                    let seconds = words.number(&word, 600)?;
                    args.plan.surge = Duration::from_secs(seconds.get().into());
                }
                "--capacity" => {
                    let capacity = words.number(&word, 2_000)?.get();
                    if capacity < 10 {
                        let takes = "a number from 10 to 2000";
                        return Err(Problem::usage(&word, &capacity.to_string(), takes));
                    }
                    args.plan.capacity = capacity;
                }
                "--json" => args.json = true,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}
