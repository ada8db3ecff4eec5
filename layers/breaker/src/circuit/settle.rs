//! The way out: what a call says about the service.

use super::{Circuit, Ticket, ticket::Role};
use crate::{
    Settings, State,
    pace::Pace,
    ring::{Mark, Ring},
    word::Word,
};
use ziggurat_core::{Outcome, clock::Instant};

// === impl Circuit ===

impl Circuit {
    /// The head of the answer is here: the time of the call ends, and for a probe it is success
    /// enough.
    #[inline]
    pub(crate) fn responded(&self, ticket: &mut Ticket, clock: impl FnOnce() -> Instant) {
        if !ticket.is_plain() {
            self.responded_at(ticket, clock());
        }
    }

    #[inline(never)]
    fn responded_at(&self, ticket: &mut Ticket, now: Instant) {
        *ticket = ticket.with_pace(self.pace(ticket.pace(), now));
        if let Role::Probe(number) = ticket.role() {
            self.probe_responded(ticket, number, now);
        }
    }

    fn probe_responded(&self, ticket: &mut Ticket, number: u32, now: Instant) {
        let before = ticket.generation();
        *ticket = ticket.answered();
        if ticket.pace().is_slow() {
            self.open(before, now);
            return;
        }
        let (closed, word) = self.change(|machine, settings| {
            let mine = machine.generation() == before;
            machine.succeeded(before, number, now, settings);
            mine && matches!(machine.state(), State::Closed | State::Recovering)
        });
        // The one that closed the circuit is the first call of the closed one: if it fails in its
        // trailers after all, that counts.
        if closed {
            *ticket = Ticket::call(word, ticket.pace());
        }
    }

    /// The call has ended.
    #[inline(always)]
    pub(crate) fn settle(
        &self,
        seat: usize,
        ticket: Ticket,
        outcome: Outcome,
        clock: impl FnOnce() -> Instant,
    ) {
        if ticket.is_plain() && outcome.is_success() {
            self.succeeded(seat, ticket.word(), clock());
        } else {
            self.settle_other(seat, ticket, outcome, clock);
        }
    }

    #[inline(never)]
    fn settle_other(
        &self,
        seat: usize,
        ticket: Ticket,
        outcome: Outcome,
        clock: impl FnOnce() -> Instant,
    ) {
        let generation = ticket.generation();
        if outcome == Outcome::Cancelled {
            self.switch.news().cancelled();
        }
        let now = clock();
        let slow = self.pace(ticket.pace(), now).is_slow();
        let failed = outcome.is_failure();
        match ticket.role() {
            Role::Call(word) => self.settle_call(seat, word, outcome, slow, now),
            _ if failed => self.open(generation, now),
            Role::Probe(_) if slow && outcome.is_success() => self.open(generation, now),
            Role::Probe(number) if outcome.is_success() => {
                self.change(|machine, settings| {
                    machine.succeeded(generation, number, now, settings);
                });
            }
            Role::Probe(number) => {
                self.change(|machine, _| machine.release(generation, number));
            }
            Role::Answered => {}
        }
    }

    fn settle_call(&self, seat: usize, word: Word, outcome: Outcome, slow: bool, now: Instant) {
        let failed = outcome.is_failure();
        if !outcome.counts() {
            self.overloaded(seat, word, outcome, now);
        } else if failed || slow {
            self.noted(seat, word, Mark { failed, slow }, now);
        } else {
            self.succeeded(seat, word, now);
        }
    }

    #[inline]
    fn succeeded(&self, seat: usize, word: Word, now: Instant) {
        // The time was read before the word: a record that is held up here belongs to an epoch that
        // no later generation counts.
        let nanos = self.switch.nanos(now);
        if !self.switch.word().is_same_era(word) {
            return;
        }
        match word.measure().as_calls() {
            None => self.window.succeeded(seat, self.switch.epoch(word, nanos)),
            Some(size) => self.in_ring(word, size, Mark::WELL),
        }
        self.run.ended();
    }

    /// A failure, or a slow success: something may come of it.
    fn noted(&self, seat: usize, word: Word, mark: Mark, now: Instant) {
        let nanos = self.switch.nanos(now);
        let present = self.switch.word();
        if !present.is_same_era(word) || present.state() == State::Disabled {
            return;
        }
        let settings = self.settings.get();
        let Some(word) = self.by_measure_of(&settings, word, nanos) else {
            return;
        };
        self.count(seat, word, nanos, mark);
        let run = if mark.failed {
            self.run.failed(word.epoch(nanos))
        } else {
            self.run.ended();
            0
        };
        if present.state() == State::MetricsOnly {
            return;
        }
        if settings.adaptive.is_some() {
            self.throttle(&settings, word, nanos);
        } else if settings.is_enough(run, || self.totals(word, nanos).unwrap_or_default()) {
            self.open(word.generation(), now);
        }
    }

    /// To a circuit that throttles, overload is a failure. To another it says nothing, as does a call
    /// that was cancelled.
    fn overloaded(&self, seat: usize, word: Word, outcome: Outcome, now: Instant) {
        let adaptive = || self.settings.read(|settings| settings.adaptive.is_some());
        if outcome == Outcome::Overload && adaptive() {
            self.noted(seat, word, Mark::FAILED, now);
        }
    }

    /// A call that was rejected by chance, of which nothing new can come.
    pub(super) fn count_rejected(&self, seat: usize, word: Word, nanos: u64) {
        if self.switch.word().is_same_era(word) {
            self.count(seat, word, nanos, Mark::FAILED);
        }
    }

    #[inline(never)]
    fn count(&self, seat: usize, word: Word, nanos: u64, mark: Mark) {
        if let Some(size) = word.measure().as_calls() {
            return self.in_ring(word, size, mark);
        }
        let epoch = word.epoch(nanos);
        if mark.failed {
            self.window.failed(seat, epoch);
        } else {
            self.window.succeeded(seat, epoch);
        }
        if mark.slow {
            self.window.slow(seat, epoch);
        }
    }

    #[inline(never)]
    fn in_ring(&self, word: Word, size: u32, mark: Mark) {
        let ring = self.ring.get_or_init(Ring::new);
        ring.record(word.generation(), size, mark);
    }

    fn throttle(&self, settings: &Settings, word: Word, nanos: u64) {
        // Of sums that are being written nothing is made: the next failure reads them whole.
        let Some(totals) = self.totals(word, nanos) else {
            return;
        };
        let is_closed = matches!(self.state(), State::Closed | State::Recovering);
        if is_closed && settings.rejected_share(totals) > 0.0 {
            self.change(|machine, _| machine.throttle(true));
        }
    }

    fn open(&self, generation: u32, now: Instant) {
        // Where the origin comes from if nobody asked before.
        let _ = self.switch.nanos(now);
        self.change(|machine, settings| {
            machine.open(generation, now, |streak| {
                settings.open_time(streak, &self.dice)
            });
        });
    }

    /// A window of another length or kind is another window. `None`: the circuit is no longer what it
    /// was.
    fn by_measure_of(&self, settings: &Settings, word: Word, nanos: u64) -> Option<Word> {
        let measure = settings.measure();
        if measure == word.measure() {
            return Some(word);
        }
        let generations = word.generations_past(measure, nanos);
        let (restarted, present) =
            self.change(|machine, _| machine.restart(word.generation(), measure, generations));
        restarted.then_some(present)
    }

    fn pace(&self, pace: Pace, now: Instant) -> Pace {
        if pace.is_untimed() {
            return pace;
        }
        let nanos = self.switch.nanos(now);
        self.settings.read(|settings| pace.known(nanos, settings))
    }
}
