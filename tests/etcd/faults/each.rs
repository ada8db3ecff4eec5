//! Each fault by itself.

use super::{
    fault::{Fault, Members, Sites},
    schedule::Schedule,
    trial,
};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
/// Longer than any lease of the workload.
const LONG: Duration = Duration::from_millis(4_500);

async fn through<const N: usize>(steps: [(Fault, Duration); N]) {
    trial::run(&Schedule::of(steps)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_the_leader() {
    through([(Fault::KillLeader, 3_000 * MS)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_leader_and_then_no_leader_at_all() {
    let alone = Fault::FreezeAllBut(0);
    through([(Fault::FreezeLeader, 3_000 * MS), (alone, 3_000 * MS)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_and_then_all_sites_cut_off_for_longer_than_a_lease() {
    let lost = |sites| (Fault::Lose(sites, Members::All), LONG);
    through([lost(Sites::One(0)), lost(Sites::All)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_way_to_the_cluster() {
    let delay = |sites, delay| (Fault::Delay(sites, delay), 2_000 * MS);
    through([
        delay(Sites::All, 100 * MS),
        delay(Sites::One(1), 500 * MS),
        (Fault::Cut(Sites::All), Duration::ZERO),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_one_who_was_cut_off_missed() {
    let compacted = |sites, lasts| (Fault::Compact(sites), lasts);
    through([
        compacted(Sites::One(0), 500 * MS),
        compacted(Sites::All, LONG),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_all_leases() {
    let revoked = (Fault::RevokeAll, Duration::ZERO);
    through([revoked; 3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_whole_cluster() {
    through([(Fault::KillAll, 500 * MS), (Fault::KillAll, LONG)]).await;
}
