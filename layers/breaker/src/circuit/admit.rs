//! The way in: may a call be sent?

use super::{Circuit, Ticket};
use crate::{State, error::Refusal, machine::Verdict, pace::Pace, word::Word};
use std::time::Duration;
use ziggurat_core::clock::Instant;

// === impl Circuit ===

impl Circuit {
    /// May a call be sent? A closed circuit asks for the time only if calls may be slow.
    pub(crate) fn admit(
        &self,
        seat: usize,
        clock: impl FnOnce() -> Instant,
    ) -> Result<Ticket, Refusal> {
        match self.admit_plainly() {
            Some(ticket) => Ok(ticket),
            None => self.admit_at(seat, clock),
        }
    }

    /// What nearly every call is told. `None`: whoever asks must know the time.
    #[inline(always)]
    pub(crate) fn admit_plainly(&self) -> Option<Ticket> {
        let word = self.switch.word();
        let plain = word.is_closed() && !self.is_timed();
        plain.then(|| admitted(word))
    }

    #[inline(always)]
    pub(crate) fn admit_at(
        &self,
        seat: usize,
        clock: impl FnOnce() -> Instant,
    ) -> Result<Ticket, Refusal> {
        let word = self.switch.word();
        // Whatever the time is.
        if word.state() == State::ForcedOpen {
            return Err(self.reject(word, 0));
        }
        let now = clock();
        let ticket = if word.is_closed() {
            admitted(word)
        } else {
            self.admit_unless_closed(seat, word, now)?
        };
        if self.is_timed() {
            return Ok(ticket.with_pace(Pace::since(self.switch.nanos(now))));
        }
        Ok(ticket)
    }

    #[inline(always)]
    fn is_timed(&self) -> bool {
        self.settings.read(|settings| settings.slow.is_some())
    }

    #[inline(always)]
    fn admit_unless_closed(
        &self,
        seat: usize,
        word: Word,
        now: Instant,
    ) -> Result<Ticket, Refusal> {
        match word.state() {
            State::Disabled | State::MetricsOnly => Ok(admitted(word)),
            State::Recovering => self.admit_recovering(word, now),
            State::Throttling => self.admit_throttled(seat, word, now),
            _ => self.admit_unless_open(word, now),
        }
    }

    #[inline(always)]
    fn admit_unless_open(&self, word: Word, now: Instant) -> Result<Ticket, Refusal> {
        let nanos = self.switch.nanos(now);
        let wait = self.switch.holds(nanos);
        if wait > 0 {
            return Err(self.reject(word, wait));
        }
        self.try_probe(now, nanos)
    }

    #[inline(never)]
    fn try_probe(&self, now: Instant, nanos: u64) -> Result<Ticket, Refusal> {
        let (verdict, word) = self.change(|machine, settings| machine.admit(now, settings));
        match verdict {
            Verdict::Admit => Ok(admitted(word)),
            Verdict::Probe(number) => Ok(Ticket::probe(word, number, Pace::UNTIMED)),
            Verdict::Reject => Err(self.reject(word, self.switch.holds(nanos))),
        }
    }

    /// More and more of the load, until all.
    #[inline(never)]
    fn admit_recovering(&self, word: Word, now: Instant) -> Result<Ticket, Refusal> {
        let left = self.switch.holds(self.switch.nanos(now));
        if left == 0 {
            let ((), word) = self.change(|machine, _| machine.recovered(now));
            return Ok(admitted(word));
        }
        let left = Duration::from_nanos(left);
        let share = self.settings.read(|settings| settings.admitted_share(left));
        if self.dice.fraction() < share {
            return Ok(admitted(word));
        }
        self.switch.news().rejected();
        Err(Refusal::Throttled)
    }

    /// A share is rejected, as long as there is one.
    #[inline(never)]
    fn admit_throttled(&self, seat: usize, word: Word, now: Instant) -> Result<Ticket, Refusal> {
        let nanos = self.switch.nanos(now);
        let known = self.totals(word, nanos);
        let totals = known.unwrap_or_else(|| self.nearest_totals(word, nanos));
        let share = self
            .settings
            .read(|settings| settings.rejected_share(totals));
        if share <= 0.0 {
            // What is being written ends nothing: whoever asks next reads it whole.
            if known.is_none() {
                return Ok(admitted(word));
            }
            let ((), word) = self.change(|machine, _| machine.throttle(false));
            return Ok(admitted(word));
        }
        if self.dice.fraction() >= share {
            return Ok(admitted(word));
        }
        // It was asked for, and the service did not accept it.
        self.count_rejected(seat, word, nanos);
        self.switch.news().rejected();
        Err(Refusal::Throttled)
    }

    #[inline(always)]
    fn reject(&self, word: Word, wait: u64) -> Refusal {
        self.switch.news().rejected();
        // While a probe is under way nobody knows: it may close the circuit at any moment.
        Refusal::Open((word.state() == State::Open).then_some(wait))
    }
}

#[inline(always)]
const fn admitted(word: Word) -> Ticket {
    Ticket::call(word, Pace::UNTIMED)
}
