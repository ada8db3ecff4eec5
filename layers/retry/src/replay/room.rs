//! How much all calls may keep of their bodies, together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use ziggurat_core::seat::{Apart, PerSeat};

/// How many bytes of request bodies the calls of a layer keep at present, beyond the first KiB of
/// each; clones share it.
#[derive(Clone, Debug, Default)]
pub struct ReplayRoom(Arc<Apart<Arc<AtomicUsize>>>);

/// One room, and a handle to it for each thread.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    kept: Arc<AtomicUsize>,
    handles: PerSeat<ReplayRoom>,
}

/// What one call keeps. Dropped, it makes room.
#[derive(Debug)]
pub(crate) struct Share {
    /// `None`: nobody counts.
    room: Option<ReplayRoom>,
    /// The most that all calls may keep.
    total: usize,
    kept: usize,
    counted: usize,
}

/// Not counted: a request takes as much before its body comes, and most calls touch no number that
/// all threads share.
const FREE: usize = 1_024;

// === impl Rooms ===

impl Rooms {
    /// This thread's handle.
    #[inline]
    pub(crate) fn mine(&self) -> &ReplayRoom {
        let handle = || ReplayRoom(Arc::new(Apart(Arc::clone(&self.kept))));
        self.handles.mine(handle)
    }
}

// === impl ReplayRoom ===

impl ReplayRoom {
    /// How many bytes are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.count().load(Relaxed)
    }

    fn count(&self) -> &AtomicUsize {
        &self.0.0
    }

    pub(crate) fn share(&self, total: usize) -> Share {
        Share {
            room: Some(self.clone()),
            total,
            kept: 0,
            counted: 0,
        }
    }

    /// Relaxed: the number guards nothing but itself.
    fn take(&self, bytes: usize, total: usize) -> bool {
        let mut kept = self.count().load(Relaxed);
        loop {
            let more = match kept.checked_add(bytes) {
                Some(more) if more <= total => more,
                _ => return false,
            };
            match self
                .count()
                .compare_exchange_weak(kept, more, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(current) => kept = current,
            }
        }
    }
}

// === impl Share ===

impl Share {
    /// Of a body of which nothing is kept.
    pub(crate) const fn none() -> Self {
        Self {
            room: None,
            total: 0,
            kept: 0,
            counted: 0,
        }
    }

    /// Is there room for so many bytes more?
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        self.kept = self.kept.saturating_add(bytes);
        let more = self.kept.saturating_sub(FREE) - self.counted;
        if more > 0
            && let Some(room) = &self.room
        {
            if !room.take(more, self.total) {
                return false;
            }
            self.counted += more;
        }
        true
    }

    /// Nothing is kept any more.
    pub(crate) fn give(&mut self) {
        let counted = std::mem::take(&mut self.counted);
        if counted > 0
            && let Some(room) = &self.room
        {
            room.count().fetch_sub(counted, Relaxed);
        }
        self.kept = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_share_is_counted_beyond_its_first_kib_and_comes_back() {
        let room = ReplayRoom::default();
        let mut share = room.share(1_000);
        assert!(share.take(1_000) && share.take(24));
        assert_eq!(room.kept(), 0);
        assert!(share.take(600));
        assert_eq!(room.kept(), 600);
        let mut other = room.share(1_000);
        assert!(other.take(1_424));
        assert!(!room.share(1_000).take(1_025));
        drop(other);
        assert!(share.take(400));
        share.give();
        assert_eq!(room.kept(), 0);
        assert!(room.share(1_000).take(2_024));
        assert_eq!(room.kept(), 0);
    }

    #[test]
    fn many_threads_never_keep_more_than_there_is_room() {
        let room = ReplayRoom::default();
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut share = room.share(10_000);
                        share.take(FREE + 700);
                        assert!(room.kept() <= 10_000);
                    }
                });
            }
        });
        assert_eq!(room.kept(), 0);
    }
}
