//! Those who read one body at the same time: what wakes one wakes all.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// Whoever waits for a frame, by turn. A body remembers one waker only: it is given that of them all.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<Vec<(u32, Waker)>>);

// === impl Crowd ===

impl Crowd {
    /// Wakes all.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }

    /// The reader of this turn waits.
    pub(super) fn listen(&self, turn: u32, waker: &Waker) {
        let mut waiting = self.waiting();
        match waiting.iter_mut().find(|(known, _)| *known == turn) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.push((turn, waker.clone())),
        }
    }

    /// There is something, or will be no more: tells all but the reader of this turn, who knows.
    pub(super) fn tell_others(&self, turn: u32) {
        let mut waiting = self.waiting();
        let others: Vec<_> = waiting
            .extract_if(.., |(known, _)| *known != turn)
            .collect();
        drop(waiting);
        others.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(u32, Waker)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        let all = mem::take(&mut *self.waiting());
        all.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
