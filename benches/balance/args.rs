//! What the command line asks for.

use super::{simulation::Pace, subject::Subject};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) seeds: Vec<u64>,
    pub(crate) quick: bool,
    scenarios: Vec<String>,
}

/// The peers are run with the first; ours, and the oracle, with all.
const SEEDS: [u64; 3] = [42, 7, 1_000_003];

// === impl Args ===

impl Args {
    pub(crate) const USAGE: &str = "usage: cargo bench --bench balance -- [--quick] [--seed <number>]... [--scenario <part of its name>]...";

    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            seeds: Vec::new(),
            quick: false,
            scenarios: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // Cargo says so.
                "--bench" => {}
                "--quick" => args.quick = true,
                "--scenario" => args.scenarios.push(value()?),
                "--seed" => {
                    let seed = value()?;
                    let seed = seed.parse().map_err(|_| format!("{seed} is no seed"))?;
                    args.seeds.push(seed);
                }
                other => return Err(format!("unknown argument {other}")),
            }
        }
        if args.seeds.is_empty() {
            let seeds = if args.quick { 1 } else { SEEDS.len() };
            args.seeds = SEEDS[..seeds].to_vec();
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, scenario: &str) -> bool {
        let named = |part: &String| scenario.contains(part.as_str());
        self.scenarios.is_empty() || self.scenarios.iter().any(named)
    }

    pub(crate) fn wants_subject(&self, subject: Subject, seed: u64) -> bool {
        subject.is_bound() || self.seeds.first() == Some(&seed)
    }

    pub(crate) const fn pace(&self) -> Pace {
        let (warm_up, length) = if self.quick { (2, 8) } else { (10, 60) };
        Pace {
            warm_up: Duration::from_secs(warm_up),
            length: Duration::from_secs(length),
        }
    }
}
