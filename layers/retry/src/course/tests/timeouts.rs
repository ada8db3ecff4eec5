//! How long an attempt may take.

use super::*;

#[test]
fn an_attempt_that_may_be_followed_gets_a_multiple_of_what_answers_take() {
    let now = clock::now();
    let of = |course: &Course, p99| {
        let deadline = course.attempt_deadline(now, p99, true);
        deadline.map(|deadline| deadline.remaining(now))
    };
    let mut course = within(settings(), 900 * MS, now);
    assert_eq!(of(&course, None), Some(300 * MS));
    assert_eq!(of(&course, Some(20 * MS)), Some(200 * MS));
    assert_eq!(of(&course, Some(MS)), Some(50 * MS));
    assert_eq!(of(&course, Some(500 * MS)), Some(300 * MS));
    let unrepeatable = course.attempt_deadline(now, Some(MS), false);
    assert_eq!(unrepeatable.unwrap().remaining(now), 900 * MS);
    course.past.get_or_insert_default().retries = 2;
    assert_eq!(of(&course, Some(MS)), Some(900 * MS));
}

#[test]
fn an_attempt_that_cannot_be_followed_gets_all_there_is() {
    let now = clock::now();
    let mut wanted = Wanted::default();
    assert!(!Course::needs_time(&settings(), &wanted));
    let course = Course::new(settings(), wanted, None);
    assert_eq!(course.attempt_deadline(now, Some(MS), true), None);
    wanted.deadline = Some(Deadline::after_from(900 * MS, now));
    let course = Course::new(settings(), wanted, Some(now));
    assert_eq!(
        course.attempt_deadline(now, Some(MS), true),
        wanted.deadline
    );
}

#[test]
fn a_fixed_timeout_is_for_every_attempt_and_none_for_no_attempt() {
    let now = clock::now();
    let fixed = settings()
        .attempt_timeout(AttemptTimeout::Fixed(50 * MS))
        .unwrap();
    assert!(Course::needs_time(&fixed, &Wanted::default()));
    let due = course(fixed, false).attempt_deadline(now, None, false);
    assert_eq!(due, Some(Deadline::after_from(50 * MS, now)));
    let due = within(fixed, 20 * MS, now).attempt_deadline(now, None, true);
    assert_eq!(due, Some(Deadline::after_from(20 * MS, now)));
    let off = settings().attempt_timeout(AttemptTimeout::Off).unwrap();
    assert!(!Course::needs_time(
        &off,
        &Wanted {
            idempotent: true,
            ..Wanted::default()
        }
    ));
    let due = within(off, 900 * MS, now).attempt_deadline(now, Some(MS), true);
    assert_eq!(due, Some(Deadline::after_from(900 * MS, now)));
}
