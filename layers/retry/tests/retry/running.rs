//! Any future, tried again.

use crate::kit::*;
use std::{
    cell::Cell,
    error::Error,
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use ziggurat_core::{Backoff, Deadline, error};
use ziggurat_retry::{AttemptTimedOut, Budget, Last, Policy, Rules, chain::Chain, run};
use ziggurat_testkit::drop_at_every_await_then;

#[derive(Debug, PartialEq)]
enum Trouble {
    Transient,
    Final,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error for Trouble {}

/// 100 ms, 200 ms, ... without jitter.
fn policy() -> Policy {
    Policy::new().backoff(steady(100 * MS))
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_made_until_it_succeeds() {
    let began = Instant::now();
    let policy = policy();
    let answer = run(&policy, async |attempt| match attempt.number() {
        1..=3 => Err(Trouble::Transient),
        number => Ok(number),
    });
    assert_eq!(answer.await.unwrap(), 4);
    assert_eq!(began.elapsed(), 700 * MS);
}

#[tokio::test(start_paused = true)]
async fn five_attempts_wait_as_long_as_the_policy_says() {
    let backoff = Backoff::new(200 * MS, 2.0, 5_000 * MS).unwrap();
    let policy = Policy::new()
        .max_retries(4)
        .backoff(backoff.jitter(0.0).unwrap());
    let times = std::sync::Mutex::new(Vec::new());
    let failed = run(&policy, async |_| {
        times.lock().unwrap().push(Instant::now());
        Err::<(), _>(Trouble::Transient)
    })
    .await
    .unwrap_err();
    assert_eq!(failed.attempts(), 5);
    let times = times.into_inner().unwrap();
    let waits: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_millis())
        .collect();
    assert_eq!(waits, [200, 400, 800, 1_600]);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_found_with_the_number_of_attempts() {
    let failed = run(&policy(), async |_| Err::<(), _>(Trouble::Transient)).await;
    let failed = failed.unwrap_err();
    assert_eq!(failed.to_string(), "failed after 4 attempts");
    assert_eq!(failed.error(), Some(&Trouble::Transient));
    assert_eq!(error::find(&failed), Some(&Trouble::Transient));
    assert!(matches!(
        failed.into_last(),
        Last::Error(Trouble::Transient)
    ));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_the_predicate_does_not_pick_is_final() {
    let policy = policy().retry_if(|error: &Trouble| *error == Trouble::Transient);
    let failed = run(&policy, async |attempt| match attempt.number() {
        1 => Err::<(), _>(Trouble::Transient),
        _ => Err(Trouble::Final),
    });
    let failed = failed.await.unwrap_err();
    assert_eq!(
        (failed.attempts(), failed.error()),
        (2, Some(&Trouble::Final))
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_it_and_forbids_a_wait_that_would_miss_it() {
    let policy = policy().deadline_from(|| Some(Deadline::after(300 * MS)));
    let began = Instant::now();
    let failed = run(&policy, async |_| Err::<(), _>(Trouble::Transient)).await;
    // After 100 ms, and not after 300 ms, which would be too late.
    assert_eq!(failed.unwrap_err().attempts(), 2);
    assert_eq!(began.elapsed(), 100 * MS);
    let began = Instant::now();
    let hanging = run(&policy, async |_| {
        std::future::pending::<Result<(), Trouble>>().await
    });
    let failed = hanging.await.unwrap_err();
    assert_eq!((failed.attempts(), failed.error()), (1, None));
    assert_eq!(began.elapsed(), 300 * MS);
    assert!(error::find::<AttemptTimedOut>(&failed).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up_and_tried_again() {
    let policy = policy().attempt_timeout(50 * MS).unwrap();
    let began = Instant::now();
    let answer = run(&policy, async |attempt| {
        if attempt.number() < 3 {
            sleep(1_000 * MS).await;
        }
        Ok::<_, Trouble>(attempt.number())
    });
    assert_eq!(answer.await.unwrap(), 3);
    assert_eq!(began.elapsed(), (50 + 100 + 50 + 200) * MS);
    assert!(Policy::new().attempt_timeout(Duration::ZERO).is_err());
}

#[tokio::test(start_paused = true)]
async fn runs_share_a_budget() {
    let (budget, rules) = (Budget::new(), Rules::ratio(0.2, 0).unwrap());
    let policy = policy().budget(budget.clone(), rules);
    let calls = AtomicU32::new(0);
    for _ in 0..1_000 {
        let policy = policy.clone();
        let failed = run(&policy, async |_| {
            calls.fetch_add(1, Relaxed);
            Err::<(), _>(Trouble::Transient)
        });
        failed.await.unwrap_err();
    }
    let calls = calls.into_inner();
    assert!((1_100..=1_200).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn dropped_it_stops_and_pays_back() {
    let rules = Rules::ratio(0.0, 1).unwrap().in_flight(1, 0.0).unwrap();
    let policy = policy().budget(Budget::new(), rules);
    let under_way = Cell::new(0);
    let call = || {
        run(&policy, async |attempt| {
            let _guard = Guard::of(&under_way);
            sleep(MS).await;
            match attempt.number() {
                1 | 2 => Err(Trouble::Transient),
                number => Ok(number),
            }
        })
    };
    let last = drop_at_every_await_then(call, |polls| {
        assert_eq!(under_way.get(), 0, "after {polls} polls");
    });
    assert_eq!(last.await.unwrap(), 3);
}

struct Guard<'a>(&'a Cell<u32>);

impl<'a> Guard<'a> {
    fn of(cell: &'a Cell<u32>) -> Self {
        cell.set(cell.get() + 1);
        Self(cell)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_serves_a_further_attempt_is_made_once() {
    let always = async |_| Err::<(), _>(Trouble::Transient);
    for (policy, attempts) in [(policy(), 1), (policy().chain_stop(false), 4)] {
        let failed = Chain::new(true).scope(run(&policy, always)).await;
        assert_eq!(failed.unwrap_err().attempts(), attempts);
    }
}

#[tokio::test]
async fn a_run_may_go_to_another_thread_and_an_operation_may_be_a_plain_function() {
    fn answers(attempt: ziggurat_core::Attempt) -> std::future::Ready<Result<u32, Trouble>> {
        std::future::ready(Ok(attempt.number()))
    }
    const fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let policy = policy();
    let future = assert_send(run(&policy, answers));
    assert_eq!(future.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_serves_a_request_and_gave_up_tells_the_caller() {
    let poor = Rules::ratio(0.0, 0).unwrap();
    let picky = policy().retry_if(|error: &Trouble| *error == Trouble::Transient);
    for (policy, error, given_up) in [
        (picky.clone(), Trouble::Transient, true),
        // Nothing was tried again: the caller may.
        (picky.clone(), Trouble::Final, false),
        (picky.clone().max_retries(0), Trouble::Transient, false),
        (picky.budget(Budget::new(), poor), Trouble::Transient, true),
    ] {
        let chain = Chain::new(false);
        let fails = async |_| match error {
            Trouble::Transient => Err::<(), _>(Trouble::Transient),
            Trouble::Final => Err(Trouble::Final),
        };
        let failed = chain.clone().scope(run(&policy, fails)).await;
        assert!(failed.is_err());
        assert_eq!(chain.has_given_up(), given_up, "{error:?} {policy:?}");
    }
    let chain = Chain::new(false);
    let third = async |attempt: ziggurat_core::Attempt| match attempt.number() {
        1 | 2 => Err(Trouble::Transient),
        _ => Ok(()),
    };
    let made = chain.clone().scope(run(&policy(), third)).await;
    assert!(made.is_ok() && !chain.has_given_up());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_panics_leaves_no_place_taken() {
    let rules = Rules::ratio(0.0, 10).unwrap().in_flight(1, 0.0).unwrap();
    let policy = policy().budget(Budget::new(), rules);
    for _ in 0..3 {
        let policy = policy.clone();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            let panics = async |attempt: ziggurat_core::Attempt| match attempt.number() {
                1 => Err::<(), _>(Trouble::Transient),
                _ => panic!("the operation's own"),
            };
            run(&policy, panics).await.is_ok()
        });
        assert!(task.join_next().await.unwrap().unwrap_err().is_panic());
    }
    let answer = run(&policy, async |attempt| match attempt.number() {
        1 => Err(Trouble::Transient),
        number => Ok(number),
    });
    assert_eq!(answer.await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_one_attempt_that_may_answer_at_once() {
    let policy = policy().deadline_from(|| Some(Deadline::after(Duration::ZERO)));
    assert_eq!(
        run(&policy, async |_| Ok::<_, Trouble>(7)).await.unwrap(),
        7
    );
    let began = Instant::now();
    let failed = run(&policy, async |_| Err::<(), _>(Trouble::Transient)).await;
    assert_eq!(failed.unwrap_err().attempts(), 1);
    let hangs = run(&policy, async |_| {
        std::future::pending::<Result<(), Trouble>>().await
    });
    assert_eq!(hangs.await.unwrap_err().attempts(), 1);
    assert!(began.elapsed() <= MS);
}
