//! How many random scripts are played, and which.

use super::script::Script;
use crate::coord::store::Store;
use std::env;

/// Random scripts, played by a store and by a model of it that keeps every revision whole.
///
/// A script writes, reads, watches and leases a few keys; each answer must be the model's, and so
/// must be what the watches delivered, and what is there in the end.
///
/// Each script prints its seed, and `ZIGGURAT_SEED=<seed>` in the environment plays that one first,
/// and those after it.
///
/// # Defaults
///
/// 20 scripts of 60 steps, with leases that outlast them.
///
/// # Example
///
/// ```
/// use ziggurat::coord::{MemoryStore, conformance::Scripts};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// Scripts::new(42).count(3).play(&MemoryStore::new()).await;
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "scripts do nothing before they are played"]
pub struct Scripts {
    seed: u64,
    count: u64,
    steps: usize,
    exact: bool,
}

/// Where the seed stands that is to be played again.
const SEED: &str = "ZIGGURAT_SEED";

// === impl Scripts ===

impl Scripts {
    /// Scripts of this seed, and of those that follow it.
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            count: 20,
            steps: 60,
            exact: false,
        }
    }

    /// Plays this many.
    pub const fn count(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// Makes each of them this long.
    pub const fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Lets leases of milliseconds run out in the middle, and watches begin "now".
    ///
    /// For a store in this process, on tokio's paused clock, that grants leases as asked, ends them
    /// exactly when their time is over, and begins a watch when it is asked for.
    pub const fn exact(self) -> Self {
        Self {
            exact: true,
            ..self
        }
    }

    /// Plays them on this store, which must be empty, and which nobody else uses; it is empty
    /// again in the end.
    ///
    /// # Panics
    ///
    /// If the store does something else than the model, or is not empty, or if `ZIGGURAT_SEED` is
    /// no number.
    pub async fn play(&self, store: &dyn Store) {
        let first = match env::var(SEED) {
            Ok(seed) => seed.parse().unwrap_or_else(|_| {
                panic!("{SEED} must be a number from 0 to 2^64 - 1, not {seed}")
            }),
            Err(_) => self.seed,
        };
        for nth in 0..self.count {
            let seed = first.wrapping_add(nth);
            // Shown by a test that fails.
            println!(
                "{SEED}={seed} plays this script first, {} steps",
                self.steps
            );
            let mut script = Script::begin(seed, self.exact, store).await;
            for _ in 0..self.steps {
                script.step().await;
            }
            script.finish().await;
        }
    }
}
