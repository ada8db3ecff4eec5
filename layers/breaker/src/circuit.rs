//! The circuit that all clones share: what every call asks, and where its result goes.

mod admit;
mod settle;
mod ticket;

pub(crate) use self::ticket::Ticket;

use crate::{
    Counts, Events, Observer, Settings, State,
    bucket::{Run, Totals},
    machine::Machine,
    ring::Ring,
    switch::Switch,
    window::Window,
    word::Word,
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use ziggurat_core::{
    Dice, Live,
    clock::{self, Instant},
};

/// A closed circuit is one load on the way in and one write on the way out; the machine under the
/// mutex is asked only when something may change.
pub(crate) struct Circuit {
    switch: Switch,
    run: Run,
    window: Window,
    /// The other window, made when a setting asks for it.
    ring: OnceLock<Ring>,
    settings: Live<Settings>,
    dice: Dice,
}

// === impl Circuit ===

impl Circuit {
    pub(crate) fn new(
        settings: Live<Settings>,
        dice: Dice,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self {
            switch: Switch::new(settings.read(Settings::measure), observer),
            run: Run::new(),
            window: Window::new(),
            ring: OnceLock::new(),
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

    pub(crate) fn reset(&self) {
        self.change(|machine, _| machine.reset());
    }

    pub(crate) fn force_open(&self) {
        self.change(|machine, _| machine.force_open());
    }

    pub(crate) fn disable(&self) {
        self.change(|machine, _| machine.disable());
    }

    pub(crate) fn metrics_only(&self) {
        self.change(|machine, _| machine.metrics_only());
    }

    pub(crate) fn state(&self) -> State {
        self.switch.word().state()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.switch.word().is_closed()
    }

    /// How long it would reject every call from now on.
    pub(crate) fn unpickable_for(&self, now: Instant) -> Duration {
        match self.state() {
            State::Open | State::HalfOpen | State::ForcedOpen => {
                Duration::from_nanos(self.switch.holds(self.switch.nanos(now)))
            }
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn opened(&self) -> u64 {
        self.switch.opened()
    }

    pub(crate) fn events(&self) -> Events {
        self.switch.news().events()
    }

    pub(crate) fn counts(&self) -> Counts {
        let (word, nanos) = (self.switch.word(), self.switch.nanos(clock::now()));
        // Successes are written down all the same: on their way no state is looked at.
        if word.state() == State::Disabled {
            return Counts::default();
        }
        let Totals {
            successes,
            failures,
            slow,
        } = self.nearest_totals(word, nanos);
        Counts {
            successes,
            failures,
            slow,
        }
    }

    /// What this era's window counts. `None`: that is being written.
    fn totals(&self, word: Word, nanos: u64) -> Option<Totals> {
        match word.measure().as_calls() {
            None => Some(self.window.totals(word.epoch(nanos))),
            Some(size) => match self.ring.get() {
                Some(ring) => ring.totals(word.generation(), size),
                None => Some(Totals::default()),
            },
        }
    }

    /// The same, or what comes nearest.
    fn nearest_totals(&self, word: Word, nanos: u64) -> Totals {
        match (word.measure().as_calls(), self.ring.get()) {
            (None, _) => self.window.totals(word.epoch(nanos)),
            (Some(size), Some(ring)) => ring.nearest(word.generation(), size),
            (Some(_), None) => Totals::default(),
        }
    }

    /// Changes the machine by the settings that are in force.
    fn change<T>(&self, change: impl FnOnce(&mut Machine, &Settings) -> T) -> (T, Word) {
        let settings = self.settings.get();
        self.switch
            .change(&settings, |machine| change(machine, &settings))
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
