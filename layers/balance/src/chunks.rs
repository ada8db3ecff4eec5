//! A list of which a copy costs little, and of which a changed copy costs little more.

use std::{fmt, ops::Index, sync::Arc};

/// A list in chunks that its copies share; never changed once it is made.
pub(crate) struct Chunks<T> {
    chunks: Vec<Arc<[T]>>,
    len: usize,
}

/// A list that is changed in place, and copied from time to time.
pub(crate) struct Draft<T> {
    items: Vec<T>,
    copy: Vec<Arc<[T]>>,
    /// The chunks that have changed since the last copy; for each a bit.
    stale: Vec<u64>,
}

/// Small enough to be copied for one change, large enough that there are few of them: ten thousand
/// endpoints are 157 chunks.
const CHUNK: usize = 64;
const BITS: usize = u64::BITS as usize;

// === impl Chunks ===

impl<T> Chunks<T> {
    pub(crate) const fn empty() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

/// Shares the chunks.
impl<T> Clone for Chunks<T> {
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            len: self.len,
        }
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl<T: fmt::Debug> fmt::Debug for Chunks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

// === impl Draft ===

impl<T: Clone> Draft<T> {
    pub(crate) const fn new() -> Self {
        Self {
            items: Vec::new(),
            copy: Vec::new(),
            stale: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.items.get(at)
    }

    pub(crate) fn push(&mut self, item: T) {
        self.touch(self.items.len());
        if self.items.len() == self.items.capacity() {
            // Not twice as much: of ten thousand endpoints, six thousand places would stay empty.
            self.items.reserve_exact(CHUNK.max(self.items.len() / 8));
        }
        self.items.push(item);
    }

    /// Puts `item` there, and answers what was there.
    pub(crate) fn replace(&mut self, at: usize, item: T) -> T {
        self.touch(at);
        std::mem::replace(&mut self.items[at], item)
    }

    /// Takes one out; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, at: usize) -> T {
        self.touch(at);
        self.touch(self.items.len() - 1);
        self.items.swap_remove(at)
    }

    /// What it is now. Copies what has changed since the last time, and shares the rest.
    pub(crate) fn copy(&mut self) -> Chunks<T> {
        self.copy.truncate(self.items.len().div_ceil(CHUNK));
        for (nth, chunk) in self.items.chunks(CHUNK).enumerate() {
            let word = self.stale.get(nth / BITS).copied().unwrap_or(0);
            if word & 1 << (nth % BITS) == 0 {
                continue;
            }
            match self.copy.get_mut(nth) {
                Some(old) => *old = chunk.into(),
                None => self.copy.push(chunk.into()),
            }
        }
        self.stale.clear();
        Chunks {
            chunks: self.copy.clone(),
            len: self.items.len(),
        }
    }

    fn touch(&mut self, at: usize) {
        let nth = at / CHUNK;
        if self.stale.len() <= nth / BITS {
            self.stale.resize(nth / BITS + 1, 0);
        }
        self.stale[nth / BITS] |= 1 << (nth % BITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::Dice;

    #[test]
    fn whatever_is_changed_a_copy_is_what_the_list_was() {
        let dice = Dice::seeded(1);
        let mut draft = Draft::new();
        let mut copies = Vec::new();
        for n in 0..20_000 {
            match dice.below(if n < 10_000 { 4 } else { 9 }) {
                _ if draft.len() == 0 => draft.push(n),
                0 | 1 => draft.push(n),
                2 => drop(draft.replace(dice.below(draft.len()), n)),
                _ => drop(draft.swap_remove(dice.below(draft.len()))),
            }
            if n % 97 == 0 {
                copies.push((draft.items.clone(), draft.copy()));
            }
        }
        for (items, copy) in copies {
            assert_eq!(copy.len(), items.len());
            assert!(copy.iter().eq(&items));
            assert!((0..items.len()).all(|at| copy[at] == items[at]));
            assert_eq!(copy.get(items.len()), None);
        }
    }

    #[test]
    fn a_change_copies_one_chunk() {
        let mut draft = Draft::new();
        (0..1_000).for_each(|n| draft.push(n));
        let before = draft.copy();
        draft.replace(500, 0);
        let after = draft.copy();
        let pairs = before.chunks.iter().zip(&after.chunks);
        let copied = pairs.filter(|(before, after)| !Arc::ptr_eq(before, after));
        assert_eq!(copied.count(), 1);
    }
}
