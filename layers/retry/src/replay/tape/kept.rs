//! What is kept of a body, for how long, and who reads it once more.

use super::{Frames, Tape};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// What a kept frame takes at least: its handle is not free either.
const LEAST: usize = 64;

// === impl Tape ===

impl<B> Tape<B> {
    /// No attempt follows: lets go of what the present one has sent.
    pub(in crate::replay) fn commit(&mut self) {
        self.committed = true;
        self.beside.clear();
        for index in 0..self.reader.at {
            self.frames.take(index);
        }
        self.let_go();
    }

    pub(super) fn replay(&mut self, place: usize) -> Option<Frame<Bytes>> {
        let at = self.reader_mut(place).at;
        if at < self.frames.len() {
            let data = if self.committed {
                self.frames.take(at)
            } else {
                self.frames.get(at)
            };
            self.reader_mut(place).at += 1;
            self.let_go();
            return Some(Frame::data(data));
        }
        if self.reader_mut(place).trailed {
            return None;
        }
        let trailers = self.trailers.clone()?;
        self.reader_mut(place).trailed = true;
        self.let_go();
        Some(Frame::trailers(*trailers))
    }

    pub(super) fn keep(&mut self, place: usize, data: &Bytes) {
        if self.committed || data.is_empty() {
            return;
        }
        if self.afford(place, data.len()) {
            self.frames.push(data.clone());
            self.reader_mut(place).at += 1;
        }
    }

    /// Is there room for so many bytes more? If not, nothing is kept any longer.
    pub(super) fn afford(&mut self, place: usize, bytes: usize) -> bool {
        let bytes = bytes.max(LEAST);
        let Some(room) = self.room.checked_sub(bytes) else {
            self.forget(place);
            return false;
        };
        if !self.share.take(bytes) {
            self.crowded = true;
            self.forget(place);
            return false;
        }
        self.room = room;
        true
    }

    /// There is too much of it: who reads has sent all of it, so nothing need be kept.
    fn forget(&mut self, place: usize) {
        self.committed = true;
        self.choose_place(place);
        self.frames = Frames::default();
        self.reader.at = 0;
        self.share.give();
    }

    /// Makes room for others once nothing is held any more.
    fn let_go(&mut self) {
        let told = self.untold_trailers(&self.reader).is_none();
        if self.committed && told && self.reader.at == self.frames.len() {
            self.trailers = None;
            self.share.give();
        }
    }
}

/// How many bytes the headers have, names and values.
pub(super) fn size(headers: &HeaderMap) -> usize {
    let lengths = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    lengths.sum()
}
