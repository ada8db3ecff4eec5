//! What is hedged, when, and what becomes of the losers.

use crate::kit::*;
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt, service_fn};
use ziggurat_core::{
    Attempt, BoxError, CallOptions, Code, EndpointId, Outcome, Record, Recorder, Rejection, Sent,
    Trail, Tried, Whereabouts, clock, error,
};
use ziggurat_retry::{
    AttemptTimedOut, RetryLayer, Rules, Settings as Retrying,
    chain::Chain,
    hedge::{Delay, Hedge, HedgeLayer, Settings},
};
use ziggurat_testkit::{
    Counting, Gate, HttpScript, Script, Step, Strict, drop_at_every_await_then,
    tonic::Code as Status,
};

fn every(delay: Duration) -> Settings {
    Settings::new()
        .attempts(NonZeroU32::new(5).unwrap())
        .delay(Delay::Fixed(delay))
        .unwrap()
}

fn twice(delay: Duration) -> Settings {
    every(delay).attempts(NonZeroU32::new(2).unwrap())
}

fn hedge(inner: &HttpScript, settings: Settings) -> Hedge<HttpScript> {
    HedgeLayer::over(RetryLayer::new(settings_of_retry()), settings).layer(inner.clone())
}

fn settings_of_retry() -> Retrying {
    settings()
}

fn fine() -> Answer {
    Step::grpc("fine")
}

fn down() -> Answer {
    Step::trailers_only(Status::Unavailable)
}

/// The numbers that the attempts carry.
fn numbers(inner: &HttpScript) -> Vec<u32> {
    let number = |seen: &ziggurat_testkit::Seen| {
        // The first has none, which costs its request nothing.
        let attempt = seen.extensions.get::<Attempt>().map_or(1, Attempt::number);
        let header = seen.headers.get("grpc-previous-rpc-attempts");
        let header = header.map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        assert_eq!(attempt, header + 1);
        attempt
    };
    inner.seen().iter().map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_slow_is_made_once_more_and_the_quicker_answer_counts() {
    let inner = script([fine().after(1_000 * MS), fine().after(10 * MS)]);
    let (counting, gauge) = Counting::new(inner.clone());
    let notes = Notes::default();
    let retry = RetryLayer::default().observe_with(notes.clone());
    let service = HedgeLayer::over(retry, twice(50 * MS)).layer(counting);
    let (response, took) = timed(service, idempotent()).await;
    let response = response.unwrap();
    assert_eq!((response.status().as_u16(), took), (200, 60 * MS));
    assert_eq!(response.headers()["grpc-previous-rpc-attempts"], "1");
    assert_eq!(numbers(&inner), [1, 2]);
    assert_eq!((gauge.finished(), gauge.dropped()), (1, 1));
    assert_eq!(notes.take(), ["hedged 2", "overtaken 1"]);
}

/// As a balancer does: the first of three that the call did not go to yet.
fn pick(tried: Option<&Tried>, ids: &[EndpointId; 3]) -> usize {
    let untried = |id: &EndpointId| match tried {
        Some(tried) => !tried.contains(id),
        None => !Trail::leads_to(id),
    };
    let index = ids.iter().position(untried).unwrap_or(0);
    match tried {
        Some(tried) => tried.note(&ids[index]),
        None => Trail::note(&ids[index]),
    }
    index
}

#[tokio::test(start_paused = true)]
async fn each_attempt_goes_to_another_endpoint_also_a_first_that_had_to_wait_for_one() {
    for waits in [0, 15] {
        let picks = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&picks);
        let balancer = server(move |request| {
            let attempt = request.extensions().get::<Attempt>().cloned();
            let picks = Arc::clone(&noted);
            let ids = ["a", "b", "c"].map(EndpointId::new);
            async move {
                let number = attempt.as_ref().map_or(1, Attempt::number);
                if number == 1 && waits > 0 {
                    tokio::time::sleep(waits * MS).await;
                }
                let index = pick(attempt.as_ref().map(Attempt::tried), &ids);
                picks.lock().unwrap().push((number, index));
                if number < 3 {
                    std::future::pending::<()>().await;
                }
                Ok(answer("0"))
            }
        });
        let layer = HedgeLayer::over(RetryLayer::new(settings_of_retry()), every(10 * MS));
        layer.layer(balancer).oneshot(idempotent()).await.unwrap();
        let expected = match waits {
            0 => [(1, 0), (2, 1), (3, 2)],
            _ => [(2, 0), (1, 1), (3, 2)],
        };
        assert_eq!(*picks.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedged_call_that_is_ended_says_how_many_attempts_were_under_way() {
    for (ended, attempt) in [(20, Some(1)), (70, Some(2)), (120, Some(3))] {
        let inner = script([Step::never()]);
        let mut call = Box::pin(hedge(&inner, every(50 * MS)).oneshot(idempotent()));
        let ended = tokio::time::timeout(ended * MS, &mut call).await;
        assert!(ended.is_err());
        let ((), told) = Whereabouts::inquire(|| drop(call));
        assert_eq!(told.attempt, attempt);
    }
}

#[tokio::test(start_paused = true)]
async fn a_predicate_is_asked_once_about_each_failure() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let predicate = move |error: &(dyn std::error::Error + 'static)| {
        heard.lock().unwrap().push(error.to_string());
        true
    };
    let retry = RetryLayer::values(Retrying::new().assume_idempotent(true)).retry_if(predicate);
    for steps in [
        // At once, later, and beside one another; all of them, which is the end.
        vec![
            Step::fail_with("a"),
            Step::fail_with("b"),
            Step::answer("fine"),
        ],
        vec![
            Step::fail_with("a").after(MS),
            Step::fail_with("b").after(MS),
        ],
        vec![
            Step::fail_with("a").after(60 * MS),
            Step::fail_with("b").after(MS),
        ],
    ] {
        let ends = if steps.len() > 2 {
            every(50 * MS)
        } else {
            twice(50 * MS)
        };
        let inner = Script::<&str, &str>::new(steps);
        let service = HedgeLayer::over(retry.clone(), ends).layer(inner.clone());
        let _ = service.oneshot("request").await;
        let mut asked = std::mem::take(&mut *asked.lock().unwrap());
        asked.sort();
        assert_eq!(asked, ["a", "b"]);
    }
}

/// Real time: the system's clock is the one that is held.
#[test]
fn who_blocks_where_time_is_held_is_hedged_and_late_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    let bounded = |call| async move { tokio::time::timeout(10_000 * MS, call).await };
    clock::hold(|| {
        let inner = script([Step::never(), fine()]);
        let call = hedge(&inner, twice(20 * MS)).oneshot(idempotent());
        let answer = runtime.block_on(bounded(call)).unwrap();
        assert_eq!((status(&answer.unwrap()), inner.calls()), ("", 2));
        let inner = script([Step::never()]);
        let options = timeout(50 * MS).idempotent(true);
        let call = hedge(&inner, twice(20 * MS)).oneshot(with(post(), options));
        let answer = runtime.block_on(bounded(call)).unwrap();
        assert!(error::find::<AttemptTimedOut>(&*answer.unwrap_err()).is_some());
        assert_eq!(inner.calls(), 2);
    });
}

#[tokio::test(start_paused = true)]
async fn a_quick_call_is_made_once() {
    let inner = script([fine().after(49 * MS)]);
    let (response, took) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
    assert_eq!((response.is_ok(), took, inner.calls()), (true, 49 * MS, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_all_go_out_at_once() {
    let inner = script([
        fine().after(30 * MS),
        fine().after(20 * MS),
        fine().after(40 * MS),
    ]);
    let (response, took) = timed(hedge(&inner, every(Duration::ZERO)), idempotent()).await;
    assert_eq!((response.is_ok(), took, inner.calls()), (true, 20 * MS, 5));
    assert_eq!(numbers(&inner), [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_comes_first_does_not_win_over_a_pending_success() {
    let inner = script([fine().after(100 * MS), down()]);
    let (response, took) = timed(hedge(&inner, twice(50 * MS)), idempotent()).await;
    assert_eq!((status(&response.unwrap()), took), ("", 100 * MS));
    assert_eq!(inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_fatal_ends_the_call_and_one_that_is_not_hastens_the_next() {
    let fatal = Step::trailers_only(Status::Internal).after(10 * MS);
    let inner = script([fine().after(100 * MS), fatal]);
    let (response, took) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
    assert_eq!((status(&response.unwrap()), took), ("13", 60 * MS));
    let inner = script([down().after(10 * MS), down().after(10 * MS), fine()]);
    let (response, took) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
    assert_eq!((status(&response.unwrap()), took), ("", 20 * MS));
    let none = every(50 * MS).non_fatal([]).unwrap();
    let inner = script([down(), fine()]);
    let response = hedge(&inner, none).oneshot(idempotent()).await.unwrap();
    assert_eq!((status(&response), inner.calls()), ("14", 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_may_put_the_next_one_off_or_forbid_it() {
    let pushed = |pushback: &str| down().header("grpc-retry-pushback-ms", pushback);
    for (pushback, took, calls) in [("70", 70, 2), ("-1", 200, 2), ("soon", 200, 2)] {
        let slow = fine().after(200 * MS);
        // The second of two, where the first is pending, or the answer to the first of two.
        let steps = match pushback {
            "70" => [pushed(pushback), fine()],
            _ => [slow, pushed(pushback)],
        };
        let inner = script(steps);
        let (response, time) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
        let seen = (status(&response.unwrap()).len(), time, inner.calls());
        assert_eq!(seen, (0, took * MS, calls), "{pushback}");
    }
    // The delay follows again after it.
    let inner = script([pushed("70"), Step::never(), Step::never(), fine()]);
    let (_, took) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
    assert_eq!(took, 170 * MS);
}

#[tokio::test(start_paused = true)]
async fn only_calls_that_may_be_made_twice_are_hedged_and_the_others_are_tried_again() {
    let options = |idempotent| with(post(), CallOptions::new().idempotent(idempotent));
    let known = |path: &str| path == "/shop.Cart/Get";
    let other = |path: &str| path == "/shop.Cart/Put";
    let plain = every(50 * MS);
    for (settings, call, hedged) in [
        (plain, post(), false),
        (plain, options(true), true),
        (plain.any_call(true), post(), true),
        (plain.any_call(true), options(false), false),
        (plain.methods(known), options(true), true),
        (plain.methods(other), options(true), false),
        (plain.methods(other).any_call(true), post(), false),
        (Settings::off(), options(true), false),
    ] {
        let inner = script([down().after(200 * MS), fine().after(MS)]);
        let (response, took) = timed(hedge(&inner, settings), call).await;
        assert_eq!((status(&response.unwrap()), inner.calls()), ("", 2));
        // Hedged after 50 ms, or tried again 100 ms after the first has failed.
        let expected = if hedged { 51 * MS } else { 301 * MS };
        assert_eq!(took, expected, "{settings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_serves_a_further_attempt_is_not_hedged() {
    let inner = script([fine().after(200 * MS)]);
    let call = hedge(&inner, every(50 * MS)).oneshot(idempotent());
    Chain::new(true).scope(call).await.unwrap();
    assert_eq!(inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_all_have_failed_the_last_failure_of_a_server_is_the_answer() {
    let refused = Step::fail(Rejection::decided(Code::ResourceExhausted, "full"));
    let inner = script([down().after(60 * MS).header("x", "1"), refused]);
    let (response, took) = timed(hedge(&inner, every(50 * MS)), idempotent()).await;
    let response = response.unwrap();
    assert_eq!((status(&response), took, inner.calls()), ("14", 60 * MS, 2));
    // All tries that it was worth were made.
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "-1");
    let late = |n: &str| down().after(10 * MS).header("x", n);
    let inner = script([late("1"), late("2"), late("3"), late("4"), late("5")]);
    let response = hedge(&inner, every(MS))
        .oneshot(idempotent())
        .await
        .unwrap();
    assert_eq!(response.headers()["x"], "5");
}

#[tokio::test(start_paused = true)]
async fn what_no_server_has_seen_is_sent_again_as_the_same_attempt() {
    let lost = |sent| Step::fail(Rejection::undelivered("no connection", sent));
    let inner = script([lost(Sent::Never), lost(Sent::Unprocessed), fine()]);
    let poor = settings_of_retry().budget(0.0, 0).unwrap();
    let layer = HedgeLayer::over(RetryLayer::new(poor), twice(500 * MS));
    let (response, took) = timed(layer.layer(inner.clone()), idempotent()).await;
    assert_eq!((response.is_ok(), took), (true, Duration::ZERO));
    assert_eq!(numbers(&inner), [1, 1, 1]);
    // And it ends if that is all there is.
    let inner = script([lost(Sent::Never)]);
    let error = hedge(&inner, every(MS))
        .oneshot(idempotent())
        .await
        .unwrap_err();
    assert_eq!(error::code(&*error), Some(Code::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_them_all_and_each_is_told_what_is_left() {
    let inner = script([Step::never()]);
    let call = idempotent();
    let call = with(call, CallOptions::new().idempotent(true).timeout(120 * MS));
    let (result, took) = timed(hedge(&inner, every(50 * MS)), call).await;
    let error = result.unwrap_err();
    let late = error::find::<AttemptTimedOut>(&*error).unwrap();
    assert_eq!((late.after(), took, inner.calls()), (120 * MS, 120 * MS, 3));
    let told: Vec<_> = inner
        .seen()
        .iter()
        .map(|seen| seen.headers["grpc-timeout"].clone())
        .collect();
    assert_eq!(told, ["120000u", "70000000n", "20000000n"]);
}

/// Writes down how each attempt ended.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<(u32, Outcome)>>>);

struct Ending(Ends, u32);

impl Record for Ending {
    fn settle(self, outcome: Outcome) {
        self.0.0.lock().unwrap().push((self.1, outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn losers_are_recorded_as_cancelled_and_what_the_deadline_ends_as_timeouts() {
    let ends = Ends::default();
    let count = Arc::new(Mutex::new(0));
    let writes = ends.clone();
    let inner = service_fn(move |answers: Option<u32>| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let number = *count;
        let recorder = Recorder::new(Ending(writes.clone(), number), None);
        async move {
            if answers != Some(number) {
                std::future::pending::<()>().await;
            }
            recorder.settle(Outcome::Success);
            Ok::<_, BoxError>(number)
        }
    });
    let layer = HedgeLayer::values(every(50 * MS).any_call(true));
    let service = layer.layer(inner);
    assert_eq!(service.clone().oneshot(Some(3)).await.unwrap(), 3);
    let seen = std::mem::take(&mut *ends.0.lock().unwrap());
    let cancelled = Outcome::Cancelled;
    assert_eq!(
        seen,
        [(3, Outcome::Success), (1, cancelled), (2, cancelled)]
    );
}

#[tokio::test(start_paused = true)]
async fn dropped_anywhere_everything_comes_back() {
    let permits = Arc::new(Semaphore::new(3));
    let inner = HttpScript::by(|_, seen| match seen.extensions.get::<Attempt>() {
        Some(attempt) if attempt.number() == 3 => fine().after(7 * MS),
        Some(attempt) if attempt.number() == 2 => down().after(5 * MS),
        _ => Step::never(),
    });
    let (counting, gauge) = Counting::new(inner);
    let strict = Strict::around(counting)
        .permits(Arc::clone(&permits))
        .pending_first(1);
    let rules = Rules::ratio(0.0, 100).unwrap().in_flight(4, 0.0).unwrap();
    let retry = RetryLayer::new(settings_of_retry().rules(rules));
    let layer = HedgeLayer::over(retry, every(10 * MS));
    let service = layer.layer(strict);
    let call = || service.clone().oneshot(idempotent());
    let last = drop_at_every_await_then(call, |polls| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 3, "after {polls} polls");
        // All four places among those in flight are free.
        let now = clock::now();
        let places = [(); 4].map(|()| layer.budget().withdraw(&rules, now));
        assert!(places.iter().all(Option::is_some), "after {polls} polls");
    });
    last.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_is_measured_follows_the_first_attempts() {
    let delay = Delay::Measured {
        percent: 95,
        min: 5 * MS,
        max: 400 * MS,
    };
    let settings = twice(MS).delay(delay).unwrap();
    let inner = HttpScript::by(|number, seen| match seen.headers.get("x-slow") {
        // Only first attempts are slow.
        Some(_) if !seen.headers.contains_key("grpc-previous-rpc-attempts") => Step::never(),
        Some(_) => fine(),
        None => fine().after((10 + number as u32 % 20) * MS),
    });
    let mut service = hedge(&inner, settings);
    let slow = || {
        let mut call = idempotent();
        call.headers_mut().insert("x-slow", "yes".parse().unwrap());
        call
    };
    // Nothing is known yet.
    assert_eq!(timed(service.clone(), slow()).await.1, 400 * MS);
    for _ in 0..1_000 {
        ready(&mut service).await.call(idempotent()).await.unwrap();
    }
    // They took 10 to 29 ms; a bucket is up to an eighth wide.
    for _ in 0..40 {
        let took = timed(service.clone(), slow()).await.1;
        assert!((28 * MS..=33 * MS).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_for_a_hedge_is_not_waited_for() {
    use tower::limit::ConcurrencyLimitLayer;
    let inner = script([fine().after(200 * MS)]);
    let limited = ConcurrencyLimitLayer::new(1).layer(inner.clone());
    let layer = HedgeLayer::over(RetryLayer::new(settings_of_retry()), every(50 * MS));
    let service = layer.layer(limited);
    let (response, took) = timed(service.clone(), idempotent()).await;
    assert_eq!((response.is_ok(), took, inner.calls()), (true, 200 * MS, 1));
    // And nothing is held.
    let (response, took) = timed(service, idempotent()).await;
    assert_eq!((response.is_ok(), took, inner.calls()), (true, 200 * MS, 2));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_goes_to_an_instance_that_was_ready() {
    let permits = Arc::new(Semaphore::new(3));
    let inner = script([Step::never(), Step::never(), fine()]);
    let strict = Strict::around(inner.clone())
        .permits(Arc::clone(&permits))
        .pending_first(2);
    let layer = HedgeLayer::over(RetryLayer::new(settings_of_retry()), every(10 * MS));
    let mut service = layer.layer(strict);
    let ready = ready(&mut service).await;
    // A clone in between takes nothing from the one that is ready.
    let clone = ready.clone();
    ready.call(idempotent()).await.unwrap();
    assert_eq!(inner.calls(), 3);
    clone.oneshot(idempotent()).await.unwrap();
    drop(service);
    assert_eq!(permits.available_permits(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_be_ready_is_an_attempt_that_failed() {
    let gate = Gate::default();
    let inner = HttpScript::new([fine()]);
    let strict = Strict::around(inner.clone()).gate(&gate);
    let layer = HedgeLayer::over(RetryLayer::new(settings_of_retry()), every(10 * MS));
    let mut service = layer.layer(strict);
    gate.fail_next(1);
    let call = ready(&mut service).await.call(idempotent());
    assert_eq!(status(&call.await.unwrap()), "");
    assert_eq!(inner.calls(), 1);
}
