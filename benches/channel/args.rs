//! What the command line asks for.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Args {
    /// Whether this is the child process that serves.
    pub(crate) serve: bool,
    /// How many callers there are at a time, one number after the other.
    pub(crate) concurrency: Vec<usize>,
    /// Whether to measure the layers of a channel one after the other, instead of its peers.
    pub(crate) ladder: bool,
    quick: bool,
    subjects: Vec<String>,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    /// What each subject gets of a round.
    pub(crate) length: Duration,
    pub(crate) warm_up: Duration,
}

const CONCURRENCY: [usize; 2] = [16, 64];

/// What the first process says to the second.
pub(crate) const SERVE: &str = "--serve";

// === impl Args ===

impl Args {
    pub(crate) const USAGE: &str = "usage: cargo bench --bench channel -- [--quick] [--ladder] \
        [--subject NAME]... [--concurrency N]...";

    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            serve: false,
            concurrency: Vec::new(),
            ladder: false,
            quick: false,
            subjects: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // Cargo says so.
                "--bench" => {}
                SERVE => args.serve = true,
                "--ladder" => args.ladder = true,
                "--quick" => args.quick = true,
                "--subject" => args.subjects.push(value()?),
                "--concurrency" => {
                    let value = value()?;
                    let number = value.parse().ok().filter(|number| *number > 0);
                    let number =
                        number.ok_or_else(|| format!("{value} is no number of callers"))?;
                    args.concurrency.push(number);
                }
                other => return Err(format!("unknown argument {other}")),
            }
        }
        if args.concurrency.is_empty() {
            args.concurrency = CONCURRENCY.to_vec();
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, subject: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|name| name == subject)
    }

    pub(crate) const fn pace(&self) -> Pace {
        let (rounds, length, warm_up) = if self.quick {
            (3, 30, 30)
        } else {
            (25, 200, 1_000)
        };
        Pace {
            rounds,
            length: Duration::from_millis(length),
            warm_up: Duration::from_millis(warm_up),
        }
    }
}
