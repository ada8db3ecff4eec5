//! The frames that were read.

use bytes::Bytes;
use std::mem;

/// A list whose first element costs no allocation: a unary call has one frame.
#[derive(Default)]
pub(super) struct Frames {
    first: Option<Bytes>,
    rest: Vec<Bytes>,
}

// === impl Frames ===

impl Frames {
    pub(super) fn push(&mut self, data: Bytes) {
        if self.first.is_none() {
            self.first = Some(data);
        } else {
            self.rest.push(data);
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(super) fn get(&self, index: usize) -> Bytes {
        self.iter().nth(index).cloned().unwrap_or_default()
    }

    /// Leaves an empty frame in its place.
    pub(super) fn take(&mut self, index: usize) -> Bytes {
        let frame = match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.get_mut(index),
        };
        frame.map(mem::take).unwrap_or_default()
    }

    pub(super) fn bytes_from(&self, index: usize) -> u64 {
        self.iter().skip(index).map(|data| data.len() as u64).sum()
    }

    fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }
}
