//! The circuit that all clones share: what every call asks, and where its result goes.

use crate::{
    Observer, Open, Settings, State,
    bucket::Run,
    machine::{Machine, Verdict},
    switch::Switch,
    window::Window,
    word::Word,
};
use std::{fmt, sync::Arc, time::Duration};
use ziggurat_core::{Dice, Live, Outcome, clock::Instant};

/// A closed circuit is one load on the way in and one write on the way out; the machine under the
/// mutex is asked only when something may change.
pub(crate) struct Circuit {
    switch: Switch,
    run: Run,
    window: Window,
    settings: Live<Settings>,
    dice: Dice,
}

/// Under what a call was admitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    word: Word,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Call,
    Probe(u32),
    /// A probe whose answer has begun, and has counted as a success.
    Answered,
}

// === impl Circuit ===

impl Circuit {
    pub(crate) fn new(
        settings: Live<Settings>,
        dice: Dice,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self {
            switch: Switch::new(settings.read(Settings::width), observer),
            run: Run::new(),
            window: Window::new(),
            settings,
            dice,
        }
    }

    /// The same settings around a fresh state.
    pub(crate) fn isolated(&self) -> Self {
        let observer = self.switch.news().observer();
        Self::new(self.settings.clone(), self.dice.clone(), observer)
    }

    /// The same, with other chance.
    pub(crate) fn with_dice(&self, dice: Dice) -> Self {
        Self::new(self.settings.clone(), dice, self.switch.news().observer())
    }

    /// The same, told to somebody else.
    pub(crate) fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        Self::new(self.settings.clone(), self.dice.clone(), Some(observer))
    }

    /// May a call be sent? A closed circuit does not ask for the time.
    #[inline]
    pub(crate) fn admit(&self, clock: impl FnOnce() -> Instant) -> Result<Ticket, Open> {
        let word = self.switch.word();
        if word.is_closed() {
            return Ok(Ticket {
                word,
                role: Role::Call,
            });
        }
        self.admit_unless_open(word, clock())
    }

    #[cold]
    fn admit_unless_open(&self, word: Word, now: Instant) -> Result<Ticket, Open> {
        let nanos = self.switch.nanos(now);
        let wait = self.switch.holds(nanos);
        if wait > 0 {
            return Err(self.reject(word, wait));
        }
        let (verdict, word) = self.change(|machine, settings| machine.admit(now, settings));
        match verdict {
            Verdict::Admit => Ok(Ticket {
                word,
                role: Role::Call,
            }),
            Verdict::Probe(number) => Ok(Ticket {
                word,
                role: Role::Probe(number),
            }),
            Verdict::Reject => Err(self.reject(word, self.switch.holds(nanos))),
        }
    }

    /// The head of the answer is here: for a probe that is success enough.
    pub(crate) fn responded(&self, ticket: &mut Ticket) {
        let Role::Probe(number) = ticket.role else {
            return;
        };
        let before = ticket.word.generation();
        let (closed, word) = self.change(|machine, settings| {
            let mine = machine.generation() == before;
            machine.succeeded(before, number, settings);
            mine && machine.state() == State::Closed
        });
        // The one that closed the circuit is the first call of the closed one: if it fails in its
        // trailers after all, that counts.
        *ticket = if closed {
            Ticket {
                word,
                role: Role::Call,
            }
        } else {
            Ticket {
                word: ticket.word,
                role: Role::Answered,
            }
        };
    }

    /// The call has ended.
    #[inline]
    pub(crate) fn settle(
        &self,
        seat: usize,
        ticket: Ticket,
        outcome: Outcome,
        clock: impl FnOnce() -> Instant,
    ) {
        match ticket.role {
            Role::Call if outcome.is_success() => self.succeeded(seat, ticket.word, clock()),
            _ => self.settle_other(seat, ticket, outcome, clock),
        }
    }

    #[cold]
    fn settle_other(
        &self,
        seat: usize,
        ticket: Ticket,
        outcome: Outcome,
        clock: impl FnOnce() -> Instant,
    ) {
        let generation = ticket.word.generation();
        if outcome == Outcome::Cancelled {
            self.switch.news().cancelled();
        }
        match ticket.role {
            Role::Call if outcome.is_failure() => self.failed(seat, ticket.word, clock()),
            Role::Probe(number) if outcome.is_success() => {
                self.change(|machine, settings| machine.succeeded(generation, number, settings));
            }
            Role::Probe(_) | Role::Answered if outcome.is_failure() => {
                self.open(generation, clock());
            }
            Role::Probe(number) => {
                self.change(|machine, _| machine.release(generation, number));
            }
            Role::Call | Role::Answered => {}
        }
    }

    pub(crate) fn reset(&self) {
        self.change(|machine, _| machine.reset());
    }

    pub(crate) fn force_open(&self) {
        self.change(|machine, _| machine.force_open());
    }

    pub(crate) fn state(&self) -> State {
        self.switch.word().state()
    }

    pub(crate) fn opened(&self) -> u64 {
        self.switch.opened()
    }

    fn succeeded(&self, seat: usize, word: Word, now: Instant) {
        // The time was read before the word: a record that is held up here belongs to an epoch that
        // no later generation counts.
        let nanos = self.switch.nanos(now);
        if self.switch.word() == word {
            self.window.succeeded(seat, word.epoch(nanos));
            self.run.ended();
        }
    }

    fn failed(&self, seat: usize, word: Word, now: Instant) {
        let settings = self.settings.get();
        let nanos = self.switch.nanos(now);
        let word = self.with_width_of(&settings, word, nanos);
        if self.switch.word() != word {
            return;
        }
        let epoch = word.epoch(nanos);
        self.window.failed(seat, epoch);
        let run = self.run.failed(epoch);
        if settings.is_enough(run, || self.window.totals(epoch)) {
            self.open(word.generation(), now);
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

    /// A window of another length is another window.
    fn with_width_of(&self, settings: &Settings, word: Word, nanos: u64) -> Word {
        let width = settings.width();
        if width == word.width() {
            return word;
        }
        let generations = word.generations_past(width, nanos);
        let (restarted, present) =
            self.change(|machine, _| machine.restart(word.generation(), width, generations));
        if restarted { present } else { word }
    }

    /// Changes the machine by the settings that are in force.
    fn change<T>(&self, change: impl FnOnce(&mut Machine, &Settings) -> T) -> (T, Word) {
        let settings = self.settings.get();
        self.switch
            .change(&settings, |machine| change(machine, &settings))
    }

    fn reject(&self, word: Word, wait: u64) -> Open {
        self.switch.news().rejected();
        // While a probe is under way nobody knows: it may close the circuit at any moment.
        Open::new((word.state() == State::Open).then(|| Duration::from_nanos(wait)))
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("state", &self.state())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
