//! The command line.

use crate::cli::{Problem, Words};
use std::{num::NonZeroU32, time::Duration};

pub(crate) const USAGE: &str = "\
usage: quickstart [--etcd URL] [--seconds N] [--rate N] [--json]

  --etcd URL   the registry, several with commas (the memory of this process)
  --seconds N  how long to call, 1 to 3600 (20)
  --rate N     calls a second, 1 to 50000 (500)
  --json       end with one line of JSON";

const RATE: NonZeroU32 = NonZeroU32::new(500).unwrap();

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) etcd: Option<String>,
    pub(crate) seconds: Duration,
    pub(crate) rate: NonZeroU32,
    pub(crate) json: bool,
}

// === impl Args ===

impl Args {
    pub(crate) fn parse() -> Result<Self, Problem> {
        let mut args = Self {
            etcd: None,
            seconds: Duration::from_secs(20),
            rate: RATE,
            json: false,
        };
        let mut words = Words::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--etcd" => args.etcd = Some(words.value(&word)?),
                "--seconds" => {
                    let seconds = words.number(&word, 3_600)?;
                    args.seconds = Duration::from_secs(seconds.get().into());
                }
                "--rate" => args.rate = words.number(&word, 50_000)?,
                "--json" => args.json = true,
                other => return Err(Problem::unknown(other)),
            }
        }
        Ok(args)
    }
}
