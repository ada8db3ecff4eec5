//! The rules of the config center, and the task that follows them.

use super::{Rates, Rule};
use crate::coord::{ConfigCenter, ConfigError, ConfigEvent, ConfigWatch};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::task::JoinSet;
use ziggurat_core::{Live, LiveSetter};
use ziggurat_limit::Rate;

/// The task that follows the config center; it ends with this.
pub(super) struct Follower {
    errors: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

/// What the config center says, over what the code says.
struct Overlay {
    own: Rates,
    /// Where rules stand: as we write them, and as gochat does.
    prefixes: [String; 2],
    /// By name, what stands in each place, by which revision.
    found: HashMap<String, [Option<(i64, Rate)>; 2]>,
    in_force: HashMap<String, Rate>,
}

// === impl Follower ===

impl Follower {
    /// Reads what there is, and follows what comes.
    pub(super) async fn start(
        own: Rates,
        center: &ConfigCenter,
        environment: &str,
        service: &str,
    ) -> Result<(Self, Live<Rates>), ConfigError> {
        let path = format!("{environment}/{service}/ratelimit");
        let prefixes = [path.clone(), format!("config/{path}")];
        let watches = (
            center.watch_prefix(&prefixes[0])?,
            center.watch_prefix(&prefixes[1])?,
        );
        let errors = Arc::new(AtomicU64::new(0));
        let mut overlay = Overlay {
            in_force: HashMap::clone(&own),
            own,
            prefixes,
            found: HashMap::new(),
        };
        overlay.load(center).await?;
        let (setter, live) = Live::channel(Arc::new(overlay.in_force.clone()));
        let mut task = JoinSet::new();
        // Changes of rules come whether there are calls or not.
        task.spawn(run(overlay, watches, setter, Arc::clone(&errors)));
        let follower = Self {
            errors,
            _task: task,
        };
        Ok((follower, live))
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }
}

// === impl Overlay ===

impl Overlay {
    /// What is there now; what is no rule is told by the watch, which comes by it once more.
    async fn load(&mut self, center: &ConfigCenter) -> Result<(), ConfigError> {
        for prefix in self.prefixes.clone() {
            for key in center.list(&prefix).await? {
                match center.get::<Rule>(&key).await {
                    Ok(Some(entry)) => self.hear(ConfigEvent::Put(entry)),
                    Ok(None) | Err(ConfigError::Invalid { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: ConfigEvent<Rule>) {
        let (key, rate) = match event {
            ConfigEvent::Put(entry) => match entry.value.to_rate() {
                Ok(rate) => (entry.key, Some((entry.revision, rate))),
                // It was validated when it was read.
                Err(_) => return,
            },
            ConfigEvent::Delete { key, .. } => (key, None),
        };
        let Some((place, name)) = self.place(&key) else {
            return;
        };
        let found = self.found.entry(name.clone()).or_default();
        found[place] = rate;
        let newest = found.iter().flatten().max_by_key(|(revision, _)| *revision);
        let rate = newest.map(|(_, rate)| *rate);
        // A rule that is gone without another of its name stays: a limit is not lifted by a loss.
        if let Some(rate) = rate.or_else(|| self.own.get(&name).copied()) {
            self.in_force.insert(name, rate);
        }
    }

    /// Where a key stands, and the name of its rule.
    fn place(&self, key: &str) -> Option<(usize, String)> {
        let name = |prefix: &String| key.strip_prefix(prefix.as_str())?.strip_prefix('/');
        let mut places = self.prefixes.iter().map(name).enumerate();
        let (place, name) = places.find_map(|(place, name)| Some((place, name?)))?;
        (!name.contains('/')).then(|| (place, name.to_owned()))
    }
}

async fn run(
    mut overlay: Overlay,
    watches: (ConfigWatch<Rule>, ConfigWatch<Rule>),
    setter: LiveSetter<Rates>,
    errors: Arc<AtomicU64>,
) {
    let mut events = stream::select(watches.0, watches.1);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                overlay.hear(event);
                setter.set(Arc::new(overlay.in_force.clone()));
            }
            Err(error) => {
                errors.fetch_add(1, Relaxed);
                tracing::warn!(%error, "rate limits: a rule stays as it was");
            }
        }
    }
}
