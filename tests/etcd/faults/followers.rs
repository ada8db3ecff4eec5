//! Those who follow what others write: a setting, and who leads.

use super::{
    contest_kinds::LEAD,
    findings::Findings,
    world::{LONG, Site, World, insist},
};
use futures_util::StreamExt;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use ziggurat::coord::{ConfigCenter, ConfigHandle, Election, Leader, Store, StoreError};
use ziggurat_core::Dice;

/// Followers at every site.
pub(super) struct Followers {
    center: ConfigCenter,
    election: Election,
    sites: Vec<Follower>,
    written: u64,
    _tasks: JoinSet<()>,
}

struct Follower {
    setting: ConfigHandle<u64>,
    leader: Arc<Mutex<Option<Leader>>>,
}

const KEY: &str = "limits/most";

// === impl Followers ===

impl Followers {
    pub(super) async fn start(world: &World, dice: &Dice) -> Self {
        let direct = Arc::clone(&world.direct);
        let election = Election::new(Arc::clone(&direct) as _, LEAD).unwrap();
        let mut followers = Self {
            center: ConfigCenter::new(direct),
            election,
            sites: Vec::new(),
            written: 0,
            _tasks: JoinSet::new(),
        };
        for site in &world.sites {
            followers.join(site, dice).await;
        }
        followers
    }

    async fn join(&mut self, site: &Site, dice: &Dice) {
        let store: Arc<dyn Store> = Arc::clone(&site.store) as _;
        let center = ConfigCenter::new(Arc::clone(&store)).dice(dice.clone());
        let setting = center.handle(KEY).or(0).await.unwrap();
        let election = Election::new(store, LEAD).unwrap().dice(dice.clone());
        let leader = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&leader);
        self._tasks.spawn(async move {
            let mut leaders = election.observe();
            while let Some(leader) = leaders.next().await {
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = leader;
            }
        });
        self.sites.push(Follower { setting, leader });
    }

    /// Writes another value in the middle of a fault, as soon as it can be done. What failed before
    /// that may take effect later, or never.
    pub(super) async fn write(&mut self) {
        self.written += 1;
        while self.center.set(KEY, &self.written).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until everybody knows what there is.
    pub(super) async fn settle(&self, findings: &Findings) {
        let (begun, mut said) = (Instant::now(), String::new());
        let mut behind = self.sites.iter().enumerate().collect::<Vec<_>>();
        while begun.elapsed() < LONG {
            let setting = insist(|| self.setting()).await;
            let leader = insist(|| self.election.leader()).await;
            behind.retain(|(_, follower)| !follower.knows(setting, leader.as_ref()));
            if behind.is_empty() {
                return;
            }
            said = format!("the setting is {setting}, {leader:?} leads");
            sleep(Duration::from_millis(5)).await;
        }
        for (at, follower) in behind {
            findings.add(format_args!("site {at} knows {follower:?}, and {said}"));
        }
    }

    async fn setting(&self) -> Result<u64, StoreError> {
        let found = self.center.get::<u64>(KEY).await;
        let found = found.map_err(|error| StoreError::unavailable(error.to_string()))?;
        Ok(found.map_or(0, |entry| entry.value))
    }
}

// === impl Follower ===

impl Follower {
    fn knows(&self, setting: u64, leader: Option<&Leader>) -> bool {
        *self.setting.load() == setting && self.leader().as_ref() == leader
    }

    fn leader(&self) -> Option<Leader> {
        let leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        leader.clone()
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (setting, leader) = (self.setting.load(), self.leader());
        write!(
            f,
            "{setting} (trouble: {:?}) and {leader:?}",
            self.setting.trouble()
        )
    }
}
