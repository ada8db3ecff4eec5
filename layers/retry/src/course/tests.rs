//! What follows what, without a runtime.

mod timeouts;

use super::*;
use crate::unseen::UNSENT_WITHOUT_DEADLINE;
use std::num::NonZeroU32;
use ziggurat_core::{Backoff, BoxError, Code, Rejection, Sent, clock};

const MS: Duration = Duration::from_millis(1);

fn steady(initial: Duration, max: Duration) -> Backoff {
    let backoff = Backoff::new(initial, 2.0, max).unwrap();
    backoff.jitter(0.0).unwrap()
}

fn settings() -> Settings {
    Settings::new().backoff(steady(100 * MS, 5_000 * MS))
}

fn course(settings: Settings, idempotent: bool) -> Course {
    let wanted = Wanted {
        idempotent,
        ..Wanted::default()
    };
    Course::new(settings, wanted, None)
}

fn within(settings: Settings, deadline: Duration, now: Instant) -> Course {
    let wanted = Wanted {
        deadline: Some(Deadline::after_from(deadline, now)),
        idempotent: true,
        ..Wanted::default()
    };
    Course::new(settings, wanted, Some(now))
}

fn next(course: &mut Course, failure: Failure) -> Next {
    course.next(&failure, clock::now(), &Dice::new())
}

fn delay(next: Next) -> Duration {
    match next {
        Next::Again { after, .. } => after,
        Next::Stop(stop) => panic!("stopped: {stop:?}"),
    }
}

fn rejected(rejection: Rejection) -> Failure {
    let error: BoxError = rejection.into();
    Failure::from_error(&*error)
}

#[test]
fn delays_double_up_to_the_cap_and_five_attempts_are_four_delays() {
    let five = NonZeroU32::new(5).unwrap();
    let settings = Settings::new()
        .attempts(five)
        .backoff(steady(200 * MS, 5_000 * MS));
    let mut course = course(settings, false);
    let unavailable = Failure::answered(Code::Unavailable);
    let delays = [(); 4].map(|()| delay(next(&mut course, unavailable)).as_millis());
    assert_eq!(delays, [200, 400, 800, 1_600]);
    assert_eq!(course.number(), 5);
    assert_eq!(next(&mut course, unavailable), Next::Stop(Stop::Exhausted));
}

#[test]
fn what_is_tried_again_depends_on_how_far_it_got_and_whether_that_matters() {
    let sent = |sent| rejected(Rejection::undelivered("lost", sent));
    let decided = |code| rejected(Rejection::decided(code, "no"));
    let wait = Some(Pushback::After(MS));
    for (failure, otherwise, idempotent) in [
        (Failure::answered(Code::Unavailable), true, true),
        (Failure::answered(Code::Internal), false, false),
        (Failure::answered(Code::NotFound), false, false),
        (Failure::answered(Code::Cancelled), false, false),
        (Failure::answered(Code::DeadlineExceeded), false, false),
        (Failure::answered(Code::ResourceExhausted), false, false),
        (
            Failure::answered(Code::ResourceExhausted).pushback(wait),
            true,
            true,
        ),
        (
            Failure::answered(Code::Internal).pushback(wait),
            false,
            false,
        ),
        (sent(Sent::Never), true, true),
        (sent(Sent::Unprocessed), true, true),
        (sent(Sent::Unknown), false, true),
        (Failure::lost(Code::Unavailable), false, true),
        (Failure::lost(Code::Internal), false, false),
        (Failure::timed_out(), false, true),
        (decided(Code::Unavailable), false, false),
        (decided(Code::ResourceExhausted), false, false),
        (Failure::wanted(), true, true),
        (Failure::unwanted(), false, false),
    ] {
        for (known, again) in [(false, otherwise), (true, idempotent)] {
            let next = next(&mut course(settings(), known), failure);
            let follows = matches!(next, Next::Again { .. });
            assert_eq!(follows, again, "{failure:?}, idempotent: {known}");
        }
    }
}

#[test]
fn other_codes_may_be_asked_for() {
    let settings = settings().retry_on([Code::Aborted]).unwrap();
    let again = |code| {
        let next = next(&mut course(settings, false), Failure::answered(code));
        matches!(next, Next::Again { .. })
    };
    assert!(again(Code::Aborted));
    assert!(!again(Code::Unavailable));
}

#[test]
fn what_reached_nobody_is_no_attempt() {
    let unsent = rejected(Rejection::undelivered("refused", Sent::Never));
    let unseen = rejected(Rejection::undelivered("goaway", Sent::Unprocessed));
    let mut course = within(settings(), 3_600_000 * MS, clock::now());
    let delays = [(); 5].map(|()| match next(&mut course, unsent) {
        Next::Again { after, why, paid } => {
            assert_eq!((why, paid), (Why::Unsent, false));
            after.as_millis()
        }
        stopped => panic!("{stopped:?}"),
    });
    assert_eq!(delays, [0, 100, 200, 400, 800]);
    assert_eq!(delay(next(&mut course, unseen)), Duration::ZERO);
    assert_eq!(course.number(), 1);
    // The second time it is an attempt like any other.
    assert_eq!(delay(next(&mut course, unseen)), 100 * MS);
    assert_eq!(course.number(), 2);
    for _ in 0..100 {
        delay(next(&mut course, unsent));
    }
    assert_eq!(course.number(), 2);
}

#[test]
fn a_call_without_a_deadline_does_not_wait_for_a_connection_for_ever() {
    let unsent = rejected(Rejection::undelivered("refused", Sent::Never));
    let mut course = course(settings(), true);
    for _ in 0..UNSENT_WITHOUT_DEADLINE {
        delay(next(&mut course, unsent));
    }
    assert_eq!(next(&mut course, unsent), Next::Stop(Stop::Exhausted));
}

#[test]
fn a_pushback_is_waited_for_exactly_and_starts_the_delays_anew() {
    let five = NonZeroU32::new(5).unwrap();
    let mut course = course(settings().attempts(five), false);
    let unavailable = Failure::answered(Code::Unavailable);
    assert_eq!(delay(next(&mut course, unavailable)), 100 * MS);
    assert_eq!(delay(next(&mut course, unavailable)), 200 * MS);
    let pushed = unavailable.pushback(Some(Pushback::After(777 * MS)));
    assert_eq!(delay(next(&mut course, pushed)), 777 * MS);
    assert_eq!(course.previous_pushback(), Some(777 * MS));
    assert_eq!(delay(next(&mut course, unavailable)), 100 * MS);
    assert_eq!(course.previous_pushback(), None);
    let never = unavailable.pushback(Some(Pushback::Never));
    assert_eq!(next(&mut course, never), Next::Stop(Stop::Final));
}

#[test]
fn what_the_deadline_leaves_no_time_for_is_not_waited_for() {
    let now = clock::now();
    let unavailable = Failure::answered(Code::Unavailable);
    let pushed = unavailable.pushback(Some(Pushback::After(150 * MS)));
    let next = |deadline: Duration, failure: &Failure| {
        within(settings(), deadline, now).next(failure, now, &Dice::new())
    };
    assert_eq!(delay(next(101 * MS, &unavailable)), 100 * MS);
    assert_eq!(next(100 * MS, &unavailable), Next::Stop(Stop::OutOfTime));
    assert_eq!(delay(next(151 * MS, &pushed)), 150 * MS);
    assert_eq!(next(150 * MS, &pushed), Next::Stop(Stop::OutOfTime));
}

#[test]
fn who_ends_the_call_at_its_deadline_does_not_speak_of_the_attempt() {
    let now = clock::now();
    let decided = rejected(Rejection::decided(Code::DeadlineExceeded, "over"));
    for failure in [decided, Failure::answered(Code::DeadlineExceeded)] {
        let next = within(settings(), 900 * MS, now).next(&failure, now, &Dice::new());
        assert_eq!(next, Next::Stop(Stop::Final), "{failure:?}");
    }
}

#[test]
fn no_server_makes_a_call_without_a_deadline_wait_for_more_than_a_minute() {
    let now = clock::now();
    let minute = Duration::from_secs(60);
    let pushed = |hint| Failure::answered(Code::Unavailable).pushback(Some(Pushback::After(hint)));
    let unsent = |hint| {
        let refused = Rejection::undelivered("refused", Sent::Never);
        rejected(refused.with_retry_after(hint))
    };
    for failure in [pushed, unsent] {
        let endless = |hint| next(&mut course(settings(), false), failure(hint));
        assert_eq!(delay(endless(minute)), minute);
        assert_eq!(endless(minute + MS), Next::Stop(Stop::OutOfTime));
        // A deadline says itself how long is too long.
        let mut hour = within(settings(), 60 * minute, now);
        let next = hour.next(&failure(59 * minute), now, &Dice::new());
        assert_eq!(delay(next), 59 * minute);
    }
}

#[test]
fn delays_of_two_calls_have_nothing_to_do_with_each_other() {
    let settings = Settings::new().attempts(NonZeroU32::new(5).unwrap());
    let dice = Dice::seeded(7);
    let unavailable = Failure::answered(Code::Unavailable);
    let calls: Vec<[f64; 4]> = (0..1_000)
        .map(|_| {
            let mut course = course(settings, false);
            [(); 4].map(|()| {
                let next = course.next(&unavailable, clock::now(), &dice);
                delay(next).as_secs_f64()
            })
        })
        .collect();
    for (one, other) in [(0, 1), (1, 2), (0, 3)] {
        let correlation = correlation(&calls, one, other);
        assert!(correlation.abs() < 0.1, "{one} {other}: {correlation}");
    }
    for step in 0..4 {
        let mut delays: Vec<_> = calls.iter().map(|call| call[step].to_bits()).collect();
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 900, "{step}: {}", delays.len());
    }
}

fn correlation(calls: &[[f64; 4]], one: usize, other: usize) -> f64 {
    let count = calls.len() as f64;
    let mean = |step: usize| calls.iter().map(|call| call[step]).sum::<f64>() / count;
    let (a, b) = (mean(one), mean(other));
    let sum = |f: &dyn Fn(&[f64; 4]) -> f64| calls.iter().map(f).sum::<f64>();
    let both = sum(&|call| (call[one] - a) * (call[other] - b));
    let left = sum(&|call| (call[one] - a).powi(2));
    let right = sum(&|call| (call[other] - b).powi(2));
    both / (left * right).sqrt()
}
