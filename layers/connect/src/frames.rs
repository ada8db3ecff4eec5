//! Which of the bytes that come are DATA.

/// Follows the frames of a connection (RFC 9113, 4.1).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    /// So many bytes of the head have come.
    came: usize,
    /// So many bytes of the payload are still to come.
    left: usize,
}

const HEAD: usize = 9;
const DATA: u8 = 0;

// === impl Frames ===

impl Frames {
    /// How many of `bytes`, which come after all before, are the payload of DATA.
    pub(crate) fn data(&mut self, mut bytes: &[u8]) -> usize {
        let mut data = 0;
        while !bytes.is_empty() {
            let wanted = if self.left > 0 {
                self.left
            } else {
                HEAD - self.came
            };
            let (these, rest) = bytes.split_at(wanted.min(bytes.len()));
            data += self.take(these);
            bytes = rest;
        }
        data
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        if self.left > 0 {
            self.left -= bytes.len();
            let [_, _, _, kind, ..] = self.head;
            return if kind == DATA { bytes.len() } else { 0 };
        }
        let end = self.came + bytes.len();
        self.head[self.came..end].copy_from_slice(bytes);
        self.came = end % HEAD;
        if self.came == 0 {
            let [a, b, c, ..] = self.head;
            self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_told_from_all_else_wherever_it_is_cut() {
        let frame = |kind, length: u8| {
            let head = [0, 0, length, kind, 0, 0, 0, 0, 1];
            [&head[..], &vec![7; length.into()]].concat()
        };
        // An empty one, among others.
        let all = [
            frame(4, 6),
            frame(DATA, 100),
            frame(8, 4),
            frame(DATA, 0),
            frame(1, 0),
            frame(DATA, 9),
        ]
        .concat();
        for piece in 1..=all.len() {
            let mut frames = Frames::default();
            let data: usize = all.chunks(piece).map(|bytes| frames.data(bytes)).sum();
            assert_eq!(data, 109, "in pieces of {piece}");
        }
    }
}
