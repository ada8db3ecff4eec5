//! What elections must do over every store.

use super::support::{AnyStore, LONG, SECOND, in_line, keys};
use futures_util::{StreamExt, stream::BoxStream};
use std::sync::Arc;
use tokio::{task::JoinSet, time};
use ziggurat::coord::{Delete, Election, HoldError, Leader, Leadership, Range};

type Leaders = BoxStream<'static, Option<Leader>>;

fn election(store: &AnyStore) -> Election {
    Election::new(Arc::clone(store), "e").unwrap()
}

async fn leads(election: &Election, value: &'static str) -> Leadership {
    let campaign = election.campaign(value).ttl(10 * SECOND).into_future();
    time::timeout(LONG, campaign).await.unwrap().unwrap()
}

async fn seen(leaders: &mut Leaders) -> Option<String> {
    let leader = time::timeout(LONG, leaders.next()).await;
    let leader = leader.expect("news come").expect("it never ends");
    leader.map(|leader| leader.value.escape_ascii().to_string())
}

pub(super) async fn they_lead_in_the_order_they_came_and_are_seen_to(store: AnyStore) {
    let election = election(&store);
    let mut leaders = election.observe();
    assert_eq!(seen(&mut leaders).await, None);
    let mut leadership = leads(&election, "0").await;
    assert_eq!(seen(&mut leaders).await.unwrap(), "0");
    let mut tasks = JoinSet::new();
    for n in 1..4 {
        let election = election.clone();
        tasks.spawn(async move { election.campaign(n.to_string()).await.unwrap() });
        in_line(&*store, "/elections/e/", n + 1).await;
    }
    for n in 1..4 {
        leadership.proclaim(format!("until {n}")).await.unwrap();
        assert_eq!(seen(&mut leaders).await, Some(format!("until {n}")));
        let token = leadership.token();
        leadership.resign().await.unwrap();
        let next = time::timeout(LONG, tasks.join_next()).await;
        leadership = next.unwrap().unwrap().unwrap();
        assert_eq!(seen(&mut leaders).await, Some(n.to_string()));
        assert!(leadership.token() > token);
        let told = election.leader().await.unwrap().unwrap();
        assert_eq!(told.token, leadership.token());
        assert_eq!(&*told.key, leadership.key().as_bytes());
        assert_eq!(told.lease, leadership.lease());
    }
    leadership.resign().await.unwrap();
    assert_eq!(seen(&mut leaders).await, None);
    assert_eq!(election.leader().await, Ok(None));
    assert_eq!(keys(&*store, "/elections/").await, []);
}

pub(super) async fn who_observes_misses_no_leader_however_slow_it_is(store: AnyStore) {
    let election = election(&store);
    let mut leaders = election.observe();
    assert_eq!(seen(&mut leaders).await, None);
    let mut tokens = Vec::new();
    for value in ["a", "b", "c"] {
        let leadership = leads(&election, value).await;
        tokens.push(leadership.token());
        leadership.resign().await.unwrap();
    }
    for (value, token) in ["a", "b", "c"].into_iter().zip(tokens) {
        let leader = time::timeout(LONG, leaders.next()).await;
        let leader = leader.unwrap().flatten().expect("somebody led");
        assert_eq!((&*leader.value, leader.token), (value.as_bytes(), token));
        assert_eq!(seen(&mut leaders).await, None);
    }
}

pub(super) async fn of_many_candidates_one_leads_at_a_time(store: AnyStore) {
    let election = election(&store);
    let mut tasks = JoinSet::new();
    let last = Arc::new(tokio::sync::Mutex::new(0_i64));
    for n in 0..10 {
        let (election, last) = (election.clone(), Arc::clone(&last));
        tasks.spawn(async move {
            for _ in 0..5 {
                let leadership = election.campaign(n.to_string()).await.unwrap();
                let work = async {
                    let mut last = last.try_lock().expect("one leads at a time");
                    assert!(leadership.token() > *last);
                    *last = leadership.token();
                    tokio::task::yield_now().await;
                };
                leadership.run(work).await.unwrap();
                leadership.resign().await.unwrap();
            }
        });
    }
    while let Some(done) = time::timeout(LONG, tasks.join_next()).await.unwrap() {
        done.unwrap();
    }
    assert!(*last.lock().await > 0);
    assert_eq!(keys(&*store, "/elections/").await, []);
}

pub(super) async fn who_led_cannot_speak_for_the_next_one(store: AnyStore) {
    let election = election(&store);
    let old = leads(&election, "old").await;
    let key = old.key().to_owned();
    store.delete(Delete::one(key.clone())).await.unwrap();
    let new = leads(&election, "new").await;
    let proclaimed = old.proclaim("still me").await;
    assert!(matches!(proclaimed, Err(HoldError::Lost(_))));
    assert!(old.run(async {}).await.is_err());
    assert_eq!(store.range(Range::one(key)).await.unwrap().count, 0);
    drop(old);
    assert_eq!(election.leader().await.unwrap().unwrap().value, "new");
    assert!(new.is_held());
}

/// All of the above, for a macro that makes tests of them.
macro_rules! for_each_case {
    ($make:ident) => {
        $make! { election_cases:
            they_lead_in_the_order_they_came_and_are_seen_to,
            who_observes_misses_no_leader_however_slow_it_is,
            of_many_candidates_one_leads_at_a_time,
            who_led_cannot_speak_for_the_next_one,
        }
    };
}
pub(super) use for_each_case;
