//! What is contended for: a lock, a leadership, a small range of instance ids.

use super::{
    contest::{Contest, Guard, contend},
    findings::Findings,
    stage::{Forgiven, Stage},
    world::World,
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use ziggurat::coord::{
    Election, InstanceId, InstanceIds, Leadership, LockGuard, Locks, Lost, Session, StoreError,
};
use ziggurat_core::Dice;

/// Contenders at every site, for everything there is.
pub(super) struct Contests {
    pub(super) stages: Vec<Stage>,
    _tasks: JoinSet<()>,
}

struct ForLock(Locks, Stage);
struct ForLead(Election, Stage);
struct ForId(InstanceIds, Vec<Stage>);

/// The election that is held.
pub(super) const LEAD: &str = "lead";
/// Short, so that many faults outlast it; etcd grants no less.
const TTL: Duration = Duration::from_secs(2);
/// Of each kind and site.
const CONTENDERS: usize = 2;
const IDS: std::ops::Range<u16> = 1..3;

// === impl Contests ===

impl Contests {
    pub(super) fn start(
        world: &World,
        dice: &Dice,
        findings: &Findings,
        forgiven: &Forgiven,
    ) -> Self {
        let stage = |name: &str| Stage::new(name, findings, forgiven);
        let (lock, lead) = (stage("the lock"), stage("the lead"));
        let ids: Vec<_> = IDS.map(|id| stage(&format!("id {id}"))).collect();
        let mut tasks = JoinSet::new();
        for site in &world.sites {
            for _ in 0..CONTENDERS {
                let (store, dice) = (Arc::clone(&site.store), dice.clone());
                let locks = Locks::new(Arc::clone(&store) as _).dice(dice.clone());
                let election = Election::new(Arc::clone(&store) as _, LEAD).unwrap();
                let numbers = InstanceIds::new(store, "echo").unwrap();
                let numbers = numbers.range(IDS).unwrap().ttl(TTL).unwrap();
                let for_lock = ForLock(locks, lock.clone());
                let for_lead = ForLead(election.dice(dice.clone()), lead.clone());
                let for_id = ForId(numbers.dice(dice.clone()), ids.clone());
                tasks.spawn(contend(for_lock, dice.clone(), findings.clone()));
                tasks.spawn(contend(for_lead, dice.clone(), findings.clone()));
                tasks.spawn(contend(for_id, dice, findings.clone()));
            }
        }
        let mut stages = ids;
        stages.extend([lock, lead]);
        Self {
            stages,
            _tasks: tasks,
        }
    }
}

// === impl Contest ===

impl Contest for ForLock {
    type Guard = LockGuard;

    async fn win(&self) -> Result<LockGuard, StoreError> {
        self.0.acquire("jobs/nightly").ttl(TTL).await
    }

    fn stage(&self, _: &LockGuard) -> Stage {
        self.1.clone()
    }
}

impl Contest for ForLead {
    type Guard = Leadership;

    async fn win(&self) -> Result<Leadership, StoreError> {
        self.0.campaign("me").ttl(TTL).await
    }

    fn stage(&self, _: &Leadership) -> Stage {
        self.1.clone()
    }
}

impl Contest for ForId {
    type Guard = InstanceId;

    async fn win(&self) -> Result<InstanceId, StoreError> {
        self.0.acquire().await
    }

    fn stage(&self, id: &InstanceId) -> Stage {
        let number: usize = id.key().rsplit('/').next().unwrap().parse().unwrap();
        self.1[number - usize::from(IDS.start)].clone()
    }
}

// === impl Guard ===

impl Guard for LockGuard {
    fn token(&self) -> i64 {
        (**self).token()
    }

    fn check(&self) -> Result<(), Lost> {
        (**self).check()
    }

    async fn run<F: Future + Send>(&self, work: F) -> Result<F::Output, Lost> {
        Session::run(self, work).await
    }

    async fn release(self) -> Result<(), StoreError> {
        self.unlock().await
    }
}

impl Guard for Leadership {
    fn token(&self) -> i64 {
        (**self).token()
    }

    fn check(&self) -> Result<(), Lost> {
        (**self).check()
    }

    async fn run<F: Future + Send>(&self, work: F) -> Result<F::Output, Lost> {
        Session::run(self, work).await
    }

    async fn release(self) -> Result<(), StoreError> {
        self.resign().await
    }
}

impl Guard for InstanceId {
    fn token(&self) -> i64 {
        (**self).token()
    }

    fn check(&self) -> Result<(), Lost> {
        self.id().map(|_| ())
    }

    async fn run<F: Future + Send>(&self, work: F) -> Result<F::Output, Lost> {
        Session::run(self, work).await
    }

    async fn release(self) -> Result<(), StoreError> {
        self.release().await
    }
}
