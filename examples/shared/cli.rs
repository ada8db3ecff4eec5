//! What the examples share: their command line, the store that it names, and how they end.

use std::{
    env::{self, ArgsOs},
    error::Error,
    iter::Skip,
    num::NonZeroU32,
    process::ExitCode,
    sync::Arc,
};
use ziggurat::coord::{MemoryStore, Store};

/// The words of the command line, one after the other.
pub(crate) struct Words(Skip<ArgsOs>);

/// Why a program did not do what it is there for.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The command line makes no sense, or wants what was not built in: exit code 2.
    Usage(String),
    /// Anything else: exit code 1.
    Failed(String),
}

// === impl Words ===

impl Words {
    pub(crate) fn new() -> Self {
        Self(env::args_os().skip(1))
    }

    /// What follows the word `name`.
    pub(crate) fn value(&mut self, name: &str) -> Result<String, Problem> {
        let value = self.next();
        value.ok_or_else(|| Problem::Usage(format!("{name} needs a value")))
    }

    /// The number from 1 to `max` that follows the word `name`.
    pub(crate) fn number(&mut self, name: &str, max: u32) -> Result<NonZeroU32, Problem> {
        let value = self.value(name)?;
        let number = value.parse::<NonZeroU32>().ok();
        number
            .filter(|number| number.get() <= max)
            .ok_or_else(|| Problem::usage(name, &value, &format!("a number from 1 to {max}")))
    }
}

impl Iterator for Words {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let word = self.0.next()?;
        Some(word.to_string_lossy().into_owned())
    }
}

// === impl Problem ===

impl Problem {
    /// The value that followed the word `name` is none that it takes.
    pub(crate) fn usage(name: &str, value: &str, takes: &str) -> Self {
        Self::Usage(format!("{name} takes {takes}, not {value:?}"))
    }

    pub(crate) fn unknown(word: &str) -> Self {
        Self::Usage(format!("unknown argument {word:?}"))
    }
}

impl<E: Error> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !why.contains(&text) {
                why = format!("{why}: {text}");
            }
            source = cause.source();
        }
        Self::Failed(why)
    }
}

/// The store of this process, or the etcd cluster of these URLs, with commas between them.
pub(crate) async fn store(etcd: Option<&str>) -> Result<Arc<dyn Store>, Problem> {
    match etcd {
        None => Ok(Arc::new(MemoryStore::new())),
        Some(urls) => cluster(urls).await,
    }
}

#[cfg(feature = "etcd")]
async fn cluster(urls: &str) -> Result<Arc<dyn Store>, Problem> {
    use ziggurat::coord::{EtcdSettings, EtcdStore};
    let settings = EtcdSettings::new(urls.split(','));
    let settings = settings.map_err(|error| Problem::Usage(format!("--etcd: {error}")))?;
    Ok(Arc::new(EtcdStore::connect(settings).await?))
}

#[cfg(not(feature = "etcd"))]
async fn cluster(urls: &str) -> Result<Arc<dyn Store>, Problem> {
    let example = env!("CARGO_CRATE_NAME");
    Err(Problem::Usage(format!(
        "--etcd needs the feature `etcd`:\n\
         cargo run --release --features etcd --example {example} -- --etcd {urls}"
    )))
}

/// Ends the program: whether all went well, or why it could not.
pub(crate) fn end(outcome: Result<bool, Problem>, usage: &str) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Problem::Failed(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
        Err(Problem::Usage(why)) => {
            eprintln!("{why}\n\n{usage}");
            ExitCode::from(2)
        }
    }
}
