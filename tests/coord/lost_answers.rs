//! What is held, and what is left behind, when nobody knows what the store has done.

use super::{
    script::{Fate, Script},
    support::{AnyStore, SECOND, Spy, keys, poll_once},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Arc, atomic::Ordering::SeqCst};
use tokio::time;
use ziggurat::coord::{Election, InstanceIds, Locks, MemoryStore};

/// What answers its key while it is held, and gives it up when dropped.
type Held = (String, Box<dyn Send>);

const KINDS: [&str; 5] = ["lock", "try lock", "campaign", "id", "try id"];

fn ask(store: AnyStore, kind: &'static str) -> BoxFuture<'static, Option<Held>> {
    let locks = Locks::new(Arc::clone(&store));
    let election = Election::new(Arc::clone(&store), "x").unwrap();
    let ids = InstanceIds::new(store, "x").unwrap().range(1..2).unwrap();
    macro_rules! held {
        ($asked:expr) => {
            $asked.await.ok().map(|held| {
                assert!(held.is_held());
                (held.key().to_owned(), Box::new(held) as Box<dyn Send>)
            })
        };
    }
    Box::pin(async move {
        match kind {
            "lock" => held!(locks.acquire("x")),
            "try lock" => held!(locks.try_acquire("x")),
            "campaign" => held!(election.campaign("me")),
            "id" => held!(ids.acquire()),
            _ => held!(ids.try_acquire()),
        }
    })
}

/// Who has it after a minute, if anybody has, while another one holds it for ten seconds.
async fn after_a_minute(store: &AnyStore, script: Arc<Script>, kind: &'static str, taken: bool) {
    let other = match taken {
        true => ask(Arc::clone(store), kind).await,
        false => None,
    };
    assert_eq!(other.is_some(), taken);
    let leaves = async {
        time::sleep(10 * SECOND).await;
        drop(other);
    };
    let asks = time::timeout(60 * SECOND, ask(script, kind));
    let (asked, ()) = tokio::join!(asks, leaves);
    let held = asked.ok().flatten();
    let waits = !kind.starts_with("try");
    let left = keys(&**store, "/").await;
    match held {
        Some((key, held)) => {
            assert_eq!(left.iter().map(|it| &*it.0).collect::<Vec<_>>(), [&*key]);
            drop(held);
            assert_eq!(keys(&**store, "/").await, []);
        }
        None => {
            assert!(!waits, "what waits has it in the end");
            assert_eq!(left, []);
        }
    }
}

const FATES: [Fate; 3] = [Fate::Unsent, Fate::AnswerLost, Fate::AnswerAwaited];

#[tokio::test(start_paused = true)]
async fn one_answer_that_is_lost_leaves_no_key_that_nobody_knows_of() {
    for kind in KINDS {
        for taken in [false, true] {
            for fate in FATES {
                for bad in 0..6 {
                    let store: AnyStore = Arc::new(MemoryStore::new());
                    let script = Script::new(Arc::clone(&store), move |n| match n == bad {
                        true => fate,
                        false => Fate::Answered,
                    });
                    println!("{kind}, taken {taken}: question {bad} {fate:?}");
                    after_a_minute(&store, script, kind, taken).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_is_lost_costs_a_try_and_not_a_lease() {
    for kind in ["lock", "campaign", "id"] {
        for fate in FATES {
            for bad in 0..6 {
                println!("{kind}: question {bad} {fate:?}");
                let store: AnyStore = Arc::new(MemoryStore::new());
                let script = Script::new(Arc::clone(&store), move |n| match n {
                    usize::MAX => Fate::Unsent,
                    _ if n == bad => fate,
                    _ => Fate::Answered,
                });
                let asked = time::timeout(10 * SECOND, ask(script, kind)).await;
                let (key, _held) = asked.unwrap().unwrap();
                let left = keys(&*store, "/").await;
                assert_eq!(left.iter().map(|it| &*it.0).collect::<Vec<_>>(), [&*key]);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cut_off_for_good_in_the_middle_it_holds_nobody_up_for_longer_than_its_lease() {
    for kind in KINDS {
        for fate in FATES {
            for bad in 0..6 {
                for dropped in [false, true] {
                    println!("{kind}: from question {bad} on {fate:?}, dropped {dropped}");
                    let store: AnyStore = Arc::new(MemoryStore::new());
                    let cut = move |n| match n {
                        _ if n < bad => Fate::Answered,
                        // Not even a last word gets through.
                        usize::MAX => Fate::Unsent,
                        _ if n == bad => fate,
                        _ => Fate::Unsent,
                    };
                    let script = Script::new(Arc::clone(&store), cut);
                    let asking = ask(script, kind);
                    let limit = if dropped { SECOND } else { 20 * SECOND };
                    let asked = time::timeout(limit, asking).await;
                    let began = time::Instant::now();
                    drop(asked);
                    // What waits takes a place at a time: never more than one holds others up.
                    assert!(keys(&*store, "/").await.len() <= 1);
                    let kind = if kind == "id" || kind == "try id" {
                        "id"
                    } else {
                        kind
                    };
                    let next = ask(Arc::clone(&store), kind);
                    if kind.starts_with("try") {
                        time::sleep(31 * SECOND).await;
                    }
                    let next = time::timeout(32 * SECOND, next).await;
                    assert!(next.unwrap().is_some(), "{:?}", began.elapsed());
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_await_nothing_is_held_and_nothing_left() {
    for kind in KINDS {
        let mut done = false;
        for polls in 0.. {
            let spy = Arc::new(Spy::default());
            spy.dawdles.store(true, SeqCst);
            let mut asking = ask(Arc::clone(&spy) as _, kind);
            for _ in 0..polls {
                done |= poll_once(asking.as_mut()).await.is_ready();
                if done {
                    break;
                }
            }
            drop(asking);
            assert_eq!(keys(&spy.store, "/").await, [], "{kind} {polls}");
            if done {
                break;
            }
            assert!(polls < 40, "{kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn given_up_half_way_it_is_given_up() {
    for kind in ["lock", "campaign", "id"] {
        for polls in 0..5 {
            let spy = Arc::new(Spy::default());
            let store = Arc::clone(&spy) as AnyStore;
            let locks = Locks::new(Arc::clone(&store));
            let election = Election::new(Arc::clone(&store), "x").unwrap();
            let ids = InstanceIds::new(store, "x").unwrap();
            let mut giving_up: BoxFuture<'static, _> = match kind {
                "lock" => Box::pin(locks.acquire("x").await.unwrap().unlock()),
                "campaign" => Box::pin(election.campaign("me").await.unwrap().resign()),
                _ => Box::pin(ids.acquire().await.unwrap().release()),
            };
            spy.dawdles.store(true, SeqCst);
            for _ in 0..polls {
                if poll_once(giving_up.as_mut()).await.is_ready() {
                    break;
                }
            }
            drop(giving_up);
            assert_eq!(keys(&spy.store, "/").await, [], "{kind} {polls}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unlock_that_fails_says_so_and_is_done_all_the_same_if_that_can_be() {
    for fate in FATES {
        let store: AnyStore = Arc::new(MemoryStore::new());
        // Look, lease, key, and then the end of it.
        let script = Script::new(Arc::clone(&store), move |n| match n {
            2 => fate,
            _ => Fate::Answered,
        });
        let guard = Locks::new(script).acquire("x").await.unwrap();
        let lost = guard.lost();
        assert!(guard.unlock().await.unwrap_err().is_transient());
        assert!(lost.now_or_never().is_some());
        assert_eq!(keys(&*store, "/").await, []);
    }
}
