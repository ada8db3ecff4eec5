//! The way in: may a call be sent?

use super::{Circuit, Role, Ticket};
use crate::{State, error::Refusal, machine::Verdict, pace::Pace, word::Word};
use std::time::Duration;
use ziggurat_core::clock::Instant;

// === impl Circuit ===

impl Circuit {
    /// May a call be sent? A closed circuit asks for the time only if calls may be slow.
    // By force, as all that a call of a closed circuit does: a ticket that is returned through memory
    // is read back wider than it was written, for which the processor waits.
    #[inline(always)]
    pub(crate) fn admit(
        &self,
        seat: usize,
        clock: impl FnOnce() -> Instant,
    ) -> Result<Ticket, Refusal> {
        let word = self.switch.word();
        let is_timed = self.settings.read(|settings| settings.slow.is_some());
        if word.is_closed() && !is_timed {
            return Ok(Ticket {
                word,
                role: Role::CALL,
                pace: Pace::UNTIMED,
            });
        }
        self.admit_at(seat, word, is_timed, clock())
    }

    #[inline(never)]
    fn admit_at(
        &self,
        seat: usize,
        word: Word,
        is_timed: bool,
        now: Instant,
    ) -> Result<Ticket, Refusal> {
        let (word, role) = if word.is_closed() {
            (word, Role::CALL)
        } else {
            self.admit_unless_closed(seat, word, now)?
        };
        let pace = if is_timed {
            Pace::since(self.switch.nanos(now))
        } else {
            Pace::UNTIMED
        };
        Ok(Ticket { word, role, pace })
    }

    fn admit_unless_closed(
        &self,
        seat: usize,
        word: Word,
        now: Instant,
    ) -> Result<(Word, Role), Refusal> {
        match word.state() {
            State::Disabled | State::MetricsOnly => Ok((word, Role::CALL)),
            State::Recovering => self.admit_recovering(word, now),
            State::Throttling => self.admit_throttled(seat, word, now),
            _ => self.admit_unless_open(word, now),
        }
    }

    fn admit_unless_open(&self, word: Word, now: Instant) -> Result<(Word, Role), Refusal> {
        let nanos = self.switch.nanos(now);
        let wait = self.switch.holds(nanos);
        if wait > 0 {
            return Err(self.reject(word, wait));
        }
        let (verdict, word) = self.change(|machine, settings| machine.admit(now, settings));
        match verdict {
            Verdict::Admit => Ok((word, Role::CALL)),
            Verdict::Probe(number) => Ok((word, Role::probe(number))),
            Verdict::Reject => Err(self.reject(word, self.switch.holds(nanos))),
        }
    }

    /// More and more of the load, until all.
    fn admit_recovering(&self, word: Word, now: Instant) -> Result<(Word, Role), Refusal> {
        let left = self.switch.holds(self.switch.nanos(now));
        if left == 0 {
            let ((), word) = self.change(|machine, _| machine.recovered(now));
            return Ok((word, Role::CALL));
        }
        let left = Duration::from_nanos(left);
        let share = self.settings.read(|settings| settings.admitted_share(left));
        if self.dice.fraction() < share {
            return Ok((word, Role::CALL));
        }
        self.switch.news().rejected();
        Err(Refusal::Throttled)
    }

    /// A share is rejected, as long as there is one.
    fn admit_throttled(
        &self,
        seat: usize,
        word: Word,
        now: Instant,
    ) -> Result<(Word, Role), Refusal> {
        let nanos = self.switch.nanos(now);
        let totals = self.totals(word, nanos).unwrap_or_default();
        let share = self
            .settings
            .read(|settings| settings.rejected_share(totals));
        if share <= 0.0 {
            let ((), word) = self.change(|machine, _| machine.throttle(false));
            return Ok((word, Role::CALL));
        }
        if self.dice.fraction() >= share {
            return Ok((word, Role::CALL));
        }
        // It was asked for, and the service did not accept it.
        self.count_rejected(seat, word, nanos);
        self.switch.news().rejected();
        Err(Refusal::Throttled)
    }

    fn reject(&self, word: Word, wait: u64) -> Refusal {
        self.switch.news().rejected();
        // While a probe is under way nobody knows: it may close the circuit at any moment.
        let wait = (word.state() == State::Open).then(|| Duration::from_nanos(wait));
        Refusal::Open(wait)
    }
}
