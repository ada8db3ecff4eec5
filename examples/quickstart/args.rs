//! The command line.

use std::{num::NonZeroU32, time::Duration};

pub(crate) const USAGE: &str = "\
usage: quickstart [--seconds N] [--rate N] [--json]

  --seconds N  how long to call, 1 to 3600 (20)
  --rate N     calls a second, 1 to 50000 (500)
  --json       end with one line of JSON";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) seconds: Duration,
    pub(crate) rate: NonZeroU32,
    pub(crate) json: bool,
}

// === impl Args ===

impl Args {
    pub(crate) fn parse() -> Result<Self, String> {
        let mut args = Self {
            seconds: Duration::from_secs(20),
            rate: NonZeroU32::new(500).unwrap(),
            json: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => {
                    let seconds = number(&word, words.next(), 3_600)?;
                    args.seconds = Duration::from_secs(seconds.get().into());
                }
                "--rate" => args.rate = number(&word, words.next(), 50_000)?,
                "--json" => args.json = true,
                other => return Err(format!("unknown argument {other:?}")),
            }
        }
        Ok(args)
    }
}

fn number(name: &str, value: Option<String>, max: u32) -> Result<NonZeroU32, String> {
    let value = value.ok_or_else(|| format!("{name} needs a number"))?;
    let number = value
        .parse::<NonZeroU32>()
        .ok()
        .filter(|number| number.get() <= max);
    number.ok_or_else(|| format!("{name} takes a number from 1 to {max}, not {value:?}"))
}
