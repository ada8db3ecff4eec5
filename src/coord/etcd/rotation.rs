//! Whose turn it is: which member of the cluster gets the next question.
//!
//! ```text
//!            failed                         one question is let through
//!   in turn --------> ejected -- retry is due, and nobody else is in turn --> probed
//!      ^                 ^    -- probation is over, and the question can be asked again --> probed
//!      |                 +------------------- failed, and later next time -----------------+
//!      +----------------------------------------- answered --------------------------------+
//! ```
//!
//! It is a plain machine: `now` is an argument. A ticket carries the generation of its member, so
//! that fifty calls that fail at once are one failure, and what began before moves nothing.

use std::time::Duration;
use ziggurat_core::clock::Instant;

/// The members, by their number.
#[derive(Debug)]
pub(super) struct Rotation {
    members: Vec<Member>,
    next: usize,
}

#[derive(Debug, Default)]
struct Member {
    generation: u64,
    failures: u32,
    ejected: Option<Ejected>,
}

#[derive(Debug)]
struct Ejected {
    /// When it may be tried if there is nobody else.
    retry: Instant,
    /// When it may be tried although there is somebody else.
    probation: Instant,
    probed: bool,
}

/// The right to ask a member, and to tell how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) member: usize,
    generation: u64,
}

/// Whom to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Ask(Ticket),
    /// Nobody yet: somebody else is finding out, or it is not yet this time.
    Wait(Option<Instant>),
}

/// How long a member is left alone while others answer, for each time that it failed, up to six.
const PROBATION: Duration = Duration::from_secs(10);

// === impl Rotation ===

impl Rotation {
    /// So many members, of which this one is first.
    pub(super) fn new(members: usize, first: usize) -> Self {
        Self {
            members: (0..members).map(|_| Member::default()).collect(),
            next: first,
        }
    }

    /// Picks the member to ask now; `repeatable` says that a failure would do no harm.
    pub(super) fn pick(&mut self, now: Instant, repeatable: bool) -> Pick {
        let count = self.members.len();
        for at in (self.next..self.next + count).map(|at| at % count) {
            let good = match &self.members[at].ejected {
                None => true,
                Some(ejected) => repeatable && !ejected.probed && ejected.probation <= now,
            };
            if good {
                self.next = at + 1;
                return Pick::Ask(self.take(at));
            }
        }
        let waiting = self.members.iter().enumerate().filter_map(|(at, member)| {
            let ejected = member.ejected.as_ref()?;
            (!ejected.probed).then_some((ejected.retry, at))
        });
        match waiting.min() {
            Some((retry, at)) if retry <= now => Pick::Ask(self.take(at)),
            other => Pick::Wait(other.map(|(retry, _)| retry)),
        }
    }

    /// It answered, whatever it said. Tells whether that brought it back.
    pub(super) fn answered(&mut self, ticket: Ticket) -> bool {
        self.current(ticket).is_some_and(|member| {
            member.failures = 0;
            member.ejected.take().is_some()
        })
    }

    /// It did not answer; it may be tried again after a delay, which is told how often it failed.
    /// Tells whether that ejected it.
    pub(super) fn failed(
        &mut self,
        ticket: Ticket,
        now: Instant,
        delay: impl FnOnce(u32) -> Duration,
    ) -> bool {
        let Some(member) = self.current(ticket) else {
            return false;
        };
        member.generation += 1;
        member.failures = member.failures.saturating_add(1);
        member.ejected = Some(Ejected {
            retry: now + delay(member.failures),
            probation: now + PROBATION * member.failures.min(6),
            probed: false,
        });
        true
    }

    /// Nobody knows how it went: whoever asked went away.
    pub(super) fn abandoned(&mut self, ticket: Ticket) {
        if let Some(Some(ejected)) = self.current(ticket).map(|member| &mut member.ejected) {
            ejected.probed = false;
        }
    }

    fn take(&mut self, member: usize) -> Ticket {
        let taken = &mut self.members[member];
        if let Some(ejected) = &mut taken.ejected {
            ejected.probed = true;
        }
        let generation = taken.generation;
        Ticket { member, generation }
    }

    fn current(&mut self, ticket: Ticket) -> Option<&mut Member> {
        let member = &mut self.members[ticket.member];
        (member.generation == ticket.generation).then_some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::clock;

    const SECOND: Duration = Duration::from_secs(1);

    fn ask(rotation: &mut Rotation, now: Instant) -> Ticket {
        match rotation.pick(now, false) {
            Pick::Ask(ticket) => ticket,
            wait => panic!("{wait:?}"),
        }
    }

    #[test]
    fn all_members_are_asked_in_turn() {
        let (mut rotation, now) = (Rotation::new(3, 2), clock::now());
        let asked: Vec<_> = (0..6).map(|_| ask(&mut rotation, now).member).collect();
        assert_eq!(asked, [2, 0, 1, 2, 0, 1]);
    }

    #[test]
    fn one_that_failed_is_left_alone_and_comes_back_by_a_question_that_may_fail() {
        let (mut rotation, now) = (Rotation::new(2, 0), clock::now());
        let ticket = ask(&mut rotation, now);
        assert!(rotation.failed(ticket, now, |_| SECOND));
        let later = now + PROBATION;
        for _ in 0..4 {
            assert_eq!(ask(&mut rotation, later).member, 1);
        }
        let Pick::Ask(probe) = rotation.pick(later, true) else {
            panic!("nobody is asked");
        };
        assert_eq!(probe.member, 0);
        // One probe at a time, and an abandoned one makes room for the next.
        assert_eq!(ask(&mut rotation, later).member, 1);
        assert!(matches!(rotation.pick(later, true), Pick::Ask(it) if it.member == 1));
        rotation.abandoned(probe);
        assert!(matches!(rotation.pick(later, true), Pick::Ask(it) if it.member == 0));
        assert!(rotation.answered(probe));
        let asked: Vec<_> = (0..2).map(|_| ask(&mut rotation, later).member).collect();
        assert_eq!(asked, [1, 0]);
    }

    #[test]
    fn the_only_one_is_tried_again_for_ever_by_one_at_a_time() {
        let (mut rotation, mut now) = (Rotation::new(1, 0), clock::now());
        for failures in 1..100 {
            let ticket = ask(&mut rotation, now);
            if failures > 1 {
                assert_eq!(rotation.pick(now, true), Pick::Wait(None));
            }
            assert!(rotation.failed(ticket, now, |failed| SECOND * failed));
            let due = now + SECOND * failures;
            assert_eq!(rotation.pick(now, true), Pick::Wait(Some(due)));
            now = due;
        }
    }

    #[test]
    fn many_that_fail_at_once_are_one_failure_and_stragglers_move_nothing() {
        let (mut rotation, now) = (Rotation::new(1, 0), clock::now());
        let tickets: Vec<_> = (0..50).map(|_| ask(&mut rotation, now)).collect();
        let failed = tickets.iter();
        let failed = failed.filter(|it| rotation.failed(**it, now, |failed| SECOND * failed));
        assert_eq!(failed.count(), 1);
        assert_eq!(rotation.pick(now, false), Pick::Wait(Some(now + SECOND)));
        assert!(!rotation.answered(tickets[1]));
        assert_eq!(rotation.pick(now, false), Pick::Wait(Some(now + SECOND)));
    }
}
