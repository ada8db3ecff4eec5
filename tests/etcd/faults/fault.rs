//! What can happen to a cluster and to the ways to it.

use super::world::{MEMBERS, Site, World, insist};
use std::{fmt, sync::Arc, time::Duration};
use tokio::task;
use ziggurat::coord::{Range, Registry, Store};
use ziggurat_core::Instance;
use ziggurat_testkit::Proxy;

/// Something that goes wrong, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// `kill -9` of the member that leads.
    KillLeader,
    /// `SIGSTOP` of the member that leads.
    FreezeLeader,
    /// `SIGSTOP` of this member, whether it leads or not.
    Freeze(usize),
    /// `SIGSTOP` of all members but this one, so that nobody can lead.
    FreezeAllBut(usize),
    /// `kill -9` of all members.
    KillAll,
    /// Everything between these sites and these members is lost without a word.
    Lose(Sites, Members),
    /// Everything between these sites and all members takes this much longer, either way.
    Delay(Sites, Duration),
    /// All connections of these sites are closed, once.
    Cut(Sites),
    /// While these sites hear nothing, somebody comes, somebody goes, and all of it is compacted.
    Compact(Sites),
    /// Somebody else ends all leases.
    RevokeAll,
}

/// Some of the sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sites {
    All,
    One(usize),
}

/// Some of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    All,
    One(usize),
}

/// What has to be undone.
#[derive(Debug)]
pub(super) enum Wound {
    Frozen(Vec<usize>),
    Killed,
    Ways(Sites, Members),
    None,
}

/// Whom the others hear of while a site is cut off.
const VISITOR: &str = "visitor";

// === impl Fault ===

impl Fault {
    /// Lets it happen. `forgive` hears of keys that are taken from their owners by force.
    pub(super) async fn strike(self, world: &mut World, forgive: impl Fn(i64)) -> Wound {
        match self {
            Self::KillLeader => {
                world.cluster.kill_leader().await;
                Wound::Killed
            }
            Self::FreezeLeader => Wound::Frozen(vec![world.cluster.freeze_leader().await]),
            Self::Freeze(member) => {
                world.cluster.members[member].freeze();
                Wound::Frozen(vec![member])
            }
            Self::FreezeAllBut(member) => {
                let others: Vec<_> = (0..MEMBERS).filter(|it| *it != member).collect();
                let members = &world.cluster.members;
                others.iter().for_each(|it| members[*it].freeze());
                Wound::Frozen(others)
            }
            Self::KillAll => {
                world.cluster.kill_all();
                Wound::Killed
            }
            Self::Lose(sites, members) => {
                each_way(world, sites, members, |way| way.lose(true));
                Wound::Ways(sites, members)
            }
            Self::Delay(sites, delay) => {
                each_way(world, sites, Members::All, |way| way.delay(delay));
                Wound::Ways(sites, Members::All)
            }
            Self::Cut(sites) => {
                each_way(world, sites, Members::All, |way| way.cut());
                Wound::None
            }
            Self::Compact(sites) => {
                compact(world, sites).await;
                Wound::Ways(sites, Members::All)
            }
            Self::RevokeAll => {
                world.revoke_all(forgive).await;
                Wound::None
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillLeader => f.write_str("kill -9 the leader"),
            Self::FreezeLeader => f.write_str("SIGSTOP the leader"),
            Self::Freeze(member) => write!(f, "SIGSTOP member {member}"),
            Self::FreezeAllBut(member) => write!(f, "SIGSTOP all members but {member}"),
            Self::KillAll => f.write_str("kill -9 all members"),
            Self::Lose(sites, members) => write!(f, "{sites} loses {members}"),
            Self::Delay(sites, delay) => write!(f, "{sites} is {delay:?} away"),
            Self::Cut(sites) => write!(f, "{sites} is cut once"),
            Self::Compact(sites) => write!(f, "{sites} is cut off and misses a compaction"),
            Self::RevokeAll => f.write_str("all leases are revoked"),
        }
    }
}

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("every site"),
            Self::One(site) => write!(f, "site {site}"),
        }
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all members"),
            Self::One(member) => write!(f, "member {member}"),
        }
    }
}

// === impl Wound ===

impl Wound {
    /// Ends the fault; a killed member has answered when this returns. `forgive` is that of
    /// [`Fault::strike`].
    pub(super) async fn heal(self, world: &mut World, forgive: impl Fn(i64)) {
        match self {
            Self::Frozen(frozen) => {
                // A leader that wakes up ends the leases that ran out while it slept, by its own
                // clock, although they were renewed with its successor; etcd 3.5.1 lets it.
                world.each_leased(forgive).await;
                let members = &world.cluster.members;
                frozen.iter().for_each(|it| members[*it].thaw());
            }
            Self::Killed => world.cluster.restart_all().await,
            Self::Ways(sites, members) => each_way(world, sites, members, |way| {
                way.delay(Duration::ZERO);
                way.lose(false);
            }),
            Self::None => {}
        }
    }
}

fn each_way(world: &World, sites: Sites, members: Members, act: impl Fn(&Proxy)) {
    let hit = |at: usize| matches!(sites, Sites::All) || sites == Sites::One(at);
    let meant = |at: usize| matches!(members, Members::All) || members == Members::One(at);
    let hit = world.sites.iter().enumerate().filter(|(at, _)| hit(*at));
    let ways = hit.flat_map(|(_, Site { ways, .. })| ways.iter().enumerate());
    ways.filter(|(at, _)| meant(*at))
        .for_each(|(_, way)| act(way));
}

/// Cuts sites off between one who came and the same one going, and forgets that it ever was.
async fn compact(world: &World, sites: Sites) {
    let direct = Arc::clone(&world.direct);
    let registry = Registry::new(Arc::clone(&direct) as _);
    let visitor = Instance::new(super::discovery::SERVICE, VISITOR, "10.0.0.9", 80).unwrap();
    let visit = registry
        .register(visitor)
        .ttl(super::discovery::TTL)
        .await
        .unwrap();
    each_way(world, sites, Members::All, |way| way.lose(true));
    // If that fails it runs out.
    let _gone = visit.deregister().await;
    let now = insist(|| direct.range(Range::one("nothing")))
        .await
        .revision;
    task::block_in_place(|| world.cluster.members[0].compact(now));
}
