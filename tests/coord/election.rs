//! Elections: who leads, who sees it, and what ends with it.

use super::{
    election_cases,
    support::{Restored, Spy, keys, poll_once, put},
};
use futures_util::{FutureExt, StreamExt, stream::BoxStream};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat::coord::{
    Delete, Election, HoldError, Leader, Loss, MemoryStore, Put, Range, Store, StoreError,
};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(30);

election_cases::for_each_case!(over_memory);

fn memory() -> (Arc<MemoryStore>, Election) {
    let store = Arc::new(MemoryStore::new());
    let election = Election::new(Arc::clone(&store) as _, "e").unwrap();
    (store, election)
}

async fn seen(leaders: &mut BoxStream<'static, Option<Leader>>) -> Option<String> {
    let leader = time::timeout(2 * SECOND, leaders.next()).await;
    let leader = leader.expect("news come").expect("it never ends");
    leader.map(|leader| leader.value.escape_ascii().to_string())
}

#[tokio::test(start_paused = true)]
async fn they_lead_one_after_the_other_in_the_order_they_came() {
    let (store, election) = memory();
    let mut leaders = election.observe();
    assert_eq!(seen(&mut leaders).await, None);
    let first = election.campaign("1").await.unwrap();
    let mut second = pin!(election.campaign("2").into_future());
    let mut third = Box::pin(election.campaign("3").into_future());
    assert!(poll_once(second.as_mut()).await.is_pending());
    assert!(poll_once(third.as_mut()).await.is_pending());
    assert_eq!(seen(&mut leaders).await.unwrap(), "1");
    first.proclaim("1b").await.unwrap();
    assert_eq!(seen(&mut leaders).await.unwrap(), "1b");
    assert!(poll_once(second.as_mut()).await.is_pending());
    let told = election.leader().await.unwrap().unwrap();
    assert_eq!(
        (told.token, &*told.key),
        (first.token(), first.key().as_bytes())
    );

    let token = first.token();
    first.resign().await.unwrap();
    let second = second.await.unwrap();
    assert!(second.token() > token);
    assert_eq!(seen(&mut leaders).await.unwrap(), "2");
    drop(third);
    drop(second);
    assert_eq!(seen(&mut leaders).await, None);
    assert_eq!(election.leader().await, Ok(None));
    assert_eq!(keys(&*store, "/elections/").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_followed_within_ttl_and_a_second() {
    let (store, election) = memory();
    let lease = store.grant(TTL).await.unwrap().id;
    let key = format!("/elections/e/{lease:x}");
    store.put(Put::new(key, "dead").lease(lease)).await.unwrap();
    assert_eq!(election.leader().await.unwrap().unwrap().value, "dead");
    let begun = Instant::now();
    let leadership = election.campaign("next").await.unwrap();
    assert!((TTL..=TTL + SECOND).contains(&begun.elapsed()));
    assert!(leadership.is_held() && leadership.check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_leaders_work_ends_before_the_next_one_leads() {
    let spy = Arc::new(Spy::default());
    let election = Election::new(Arc::clone(&spy) as _, "e").unwrap();
    let others = Election::new(Arc::new(spy.store.clone()), "e").unwrap();
    let first = election.campaign("1").await.unwrap();
    assert_eq!(first.run(async { "done" }).await, Ok("done"));
    spy.hang(true);
    let work = async {
        let lost = first.run(std::future::pending::<()>()).await.unwrap_err();
        (lost.loss(), Instant::now())
    };
    let next = async { (others.campaign("2").await.unwrap(), Instant::now()) };
    let ((loss, stopped), (second, leads)) = tokio::join!(work, next);
    assert_eq!(loss, Loss::Expired);
    assert!(stopped < leads);
    assert_eq!(first.ttl(), Duration::ZERO);

    // Once it is over it cannot speak for the next one.
    spy.hang(false);
    let proclaimed = first.proclaim("1b").await;
    assert!(matches!(proclaimed, Err(HoldError::Lost(_))));
    assert!(first.resign().await.is_err());
    assert!(second.is_held());
    assert_eq!(election.leader().await.unwrap().unwrap().value, "2");
}

#[tokio::test(start_paused = true)]
async fn proclaiming_with_a_key_that_is_gone_says_so_and_makes_none() {
    let (store, election) = memory();
    // Unseen by the watch: this is polled before that.
    let leadership = election.campaign("1").await.unwrap();
    store
        .delete(Delete::one(leadership.key().to_owned()))
        .await
        .unwrap();
    let proclaimed = leadership.proclaim("2").now_or_never().unwrap();
    assert!(matches!(proclaimed, Err(HoldError::Lost(lost)) if lost.loss() == Loss::Deleted));
    assert!(!leadership.is_held());
    assert_eq!(keys(&*store, "/elections/").await, []);

    let leadership = election.campaign("1").await.unwrap();
    store.set_available(false);
    let proclaimed = leadership.proclaim("2").await;
    assert!(matches!(proclaimed, Err(HoldError::Store(error)) if error.is_transient()));
    assert!(leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn who_observes_gets_through_outages_and_hears_what_is_different() {
    let (store, election) = memory();
    let first = election.campaign("1").await.unwrap();
    let mut leaders = election.observe();
    assert_eq!(seen(&mut leaders).await.unwrap(), "1");
    store.break_watches();
    store.set_available(false);
    assert!(time::timeout(20 * SECOND, leaders.next()).await.is_err());
    store.set_available(true);
    // The same one still: nothing to tell.
    assert!(time::timeout(2 * SECOND, leaders.next()).await.is_err());
    first.proclaim("2").await.unwrap();
    let last = put(&*store, "other", "").await;
    store.compact(last).unwrap();
    store.break_watches();
    assert_eq!(seen(&mut leaders).await.unwrap(), "2");
    drop(first);
    assert_eq!(seen(&mut leaders).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_starts_anew_has_a_new_leader() {
    let store = Arc::new(Restored::default());
    let election = Election::new(Arc::clone(&store) as _, "e").unwrap();
    let old = election.campaign("old").await.unwrap();
    // Its key is being watched by then.
    time::sleep(SECOND).await;
    store.restored.store(true, SeqCst);
    store.before.break_watches();
    assert_eq!(old.lost().await.loss(), Loss::Deleted);
    let new = election.campaign("new").await.unwrap();
    assert!(new.is_held() && !old.is_held());
}

#[tokio::test(start_paused = true)]
async fn of_many_candidates_one_leads_at_a_time_through_faults() {
    let (store, election) = memory();
    let mut tasks = JoinSet::new();
    let leads = Arc::new(tokio::sync::Mutex::new(0_i64));
    for n in 0..10 {
        let (election, leads) = (election.clone(), Arc::clone(&leads));
        tasks.spawn(async move {
            for round in 0..5_u32 {
                let leadership = election.campaign(n.to_string()).await.unwrap();
                let work = leadership.run(async {
                    let mut last = leads.try_lock().expect("one leads at a time");
                    assert!(leadership.token() > *last);
                    *last = leadership.token();
                    time::sleep(SECOND * (round + 1)).await;
                });
                // It may be lost half way; then another one leads.
                let _done = work.await;
            }
        });
    }
    let faults = async {
        for n in 0..40_u32 {
            time::sleep(2 * SECOND).await;
            match n % 4 {
                0 => store.break_watches(),
                1 => time::sleep(TTL / 10).await,
                2 => {
                    // Every second one is longer than any lease.
                    store.set_available(false);
                    time::sleep(TTL * (n / 4 % 2) + SECOND).await;
                }
                _ => store.set_available(true),
            }
        }
    };
    faults.await;
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_those_of_go_and_names_stay_where_they_are_put() {
    let (store, election) = memory();
    let leadership = election.campaign("proposal").await.unwrap();
    let kv = store
        .range(Range::prefix("/elections/"))
        .await
        .unwrap()
        .kvs
        .remove(0);
    let expected = format!("/elections/e/{:x}", kv.lease);
    assert_eq!(
        (&*kv.key, &*kv.value),
        (expected.as_bytes(), &b"proposal"[..])
    );
    assert_eq!(
        (leadership.key(), leadership.token()),
        (&*expected, kv.create_revision)
    );

    let nested = Election::new(Arc::clone(&store) as _, "e/1f").unwrap();
    let led = nested
        .campaign("other")
        .into_future()
        .now_or_never()
        .unwrap();
    assert_eq!(election.leader().await.unwrap().unwrap().value, "proposal");
    assert_eq!(nested.leader().await.unwrap().unwrap().value, "other");
    drop(led);

    for name in ["", "/", "..", "a/../b", "a//b", "/a", "a/", "a\u{7}"] {
        let error = Election::new(Arc::clone(&store) as _, name).unwrap_err();
        assert!(
            matches!(error, StoreError::InvalidArgument { field: "name", .. }),
            "{name:?}"
        );
    }
}
