//! The state that every call reads, and the machine behind a lock that alone changes it.

use crate::{
    Observer, Settings, State,
    bucket::Epoch,
    machine::{Hold, Machine},
    news::News,
    word::{Measure, Word},
};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use ziggurat_core::clock::Instant;

/// What the machine decided, where nobody waits for it: the word, and how long it holds.
pub(crate) struct Switch {
    /// The present [`Word`].
    word: AtomicU64,
    /// Until then, in nanoseconds after the origin, the state of the word rejects calls: all of them,
    /// or some while it recovers.
    hold: AtomicU64,
    origin: OnceLock<Instant>,
    /// The slice of time that was last asked for: nearly always the present one, too, and to see that
    /// costs less than a division. Whatever stands here, it is not believed.
    slice: AtomicU64,
    machine: Mutex<Machine>,
    news: News,
}

// === impl Switch ===

impl Switch {
    pub(crate) fn new(measure: Measure, observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            word: AtomicU64::new(Word::new(State::Closed, 0, measure).bits()),
            hold: AtomicU64::new(0),
            origin: OnceLock::new(),
            slice: AtomicU64::new(0),
            machine: Mutex::new(Machine::new(measure)),
            news: News::new(observer),
        }
    }

    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// How much longer the present state rejects every call, if it does.
    pub(crate) fn holds(&self, nanos: u64) -> u64 {
        // Acquire, as in `word`: who sees a state sees how long it holds, or later.
        self.hold.load(Ordering::Acquire).saturating_sub(nanos)
    }

    /// Nanoseconds since the first time that somebody asked.
    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        nanos(*self.origin.get_or_init(|| now), now)
    }

    /// The epoch of a moment under `word`.
    #[inline]
    pub(crate) fn epoch(&self, word: Word, nanos: u64) -> Epoch {
        let width = word.width();
        let guess = self.slice.load(Ordering::Relaxed);
        let since = guess
            .checked_mul(width)
            .and_then(|begun| nanos.checked_sub(begun));
        if since.is_some_and(|since| since < width) {
            return word.epoch_of(guess);
        }
        let slice = nanos / width;
        self.slice.store(slice, Ordering::Relaxed);
        word.epoch_of(slice)
    }

    pub(crate) fn opened(&self) -> u64 {
        self.lock().opened()
    }

    pub(crate) const fn news(&self) -> &News {
        &self.news
    }

    /// Changes the machine, and tells everybody what has become of it.
    pub(crate) fn change<T>(
        &self,
        settings: &Settings,
        change: impl FnOnce(&mut Machine) -> T,
    ) -> (T, Word) {
        let mut machine = self.lock();
        let before = (machine.state(), machine.generation());
        let result = change(&mut machine);
        let after = (machine.state(), machine.generation());
        // Release pairs with the Acquire in `holds` and `word`; the hold goes first.
        let hold = self.hold_of(machine.hold(settings));
        self.hold.store(hold, Ordering::Release);
        if before != after {
            let word = Word::new(after.0, after.1, machine.measure());
            self.word.store(word.bits(), Ordering::Release);
        }
        if before.0 != after.0 {
            self.news.add(before.0, after.0);
        }
        let word = self.word();
        drop(machine);
        if before.0 != after.0 {
            self.news.tell();
        }
        (result, word)
    }

    fn hold_of(&self, hold: Hold) -> u64 {
        match hold {
            Hold::No => 0,
            Hold::Until(until) => self.origin.get().map_or(0, |origin| nanos(*origin, until)),
            Hold::ForEver => u64::MAX,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is before the origin, by the clock of another thread, is at it.
fn nanos(origin: Instant, now: Instant) -> u64 {
    let since = now.saturating_duration_since(origin);
    let nanos = since.as_secs().saturating_mul(1_000_000_000);
    nanos.saturating_add(since.subsec_nanos().into())
}
