//! What the frames are that come: how much of them is DATA, and whether there is a GOAWAY.

/// Follows the frames of a connection (RFC 9113, 4.1).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The head of a frame, as far as it has come; in one piece it is never here.
    head: [u8; HEAD],
    came: usize,
    /// So many bytes of the payload are still to come.
    left: usize,
    kind: u8,
}

/// What is among some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// So many bytes are the payload of DATA.
    pub(crate) data: usize,
    /// A GOAWAY has come, to its last byte.
    pub(crate) goodbye: bool,
}

const HEAD: usize = 9;
const DATA: u8 = 0;
const GOAWAY: u8 = 7;

// === impl Frames ===

impl Frames {
    /// What is among `bytes`, which come after all before.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> Found {
        let mut found = Found::default();
        loop {
            let payload = self.left.min(bytes.len());
            self.left -= payload;
            match self.kind {
                DATA => found.data += payload,
                GOAWAY => found.goodbye |= payload > 0 && self.left == 0,
                _ => {}
            }
            bytes = &bytes[payload..];
            bytes = match bytes.split_first_chunk() {
                Some((head, rest)) if self.came == 0 => {
                    self.begin(*head);
                    rest
                }
                _ if bytes.is_empty() => return found,
                _ => {
                    let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.came));
                    self.piece(part);
                    rest
                }
            };
        }
    }

    fn begin(&mut self, head: [u8; HEAD]) {
        let [a, b, c, kind, ..] = head;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        self.kind = kind;
    }

    /// A part of a head that came in several.
    fn piece(&mut self, part: &[u8]) {
        let end = self.came + part.len();
        self.head[self.came..end].copy_from_slice(part);
        self.came = end % HEAD;
        if self.came == 0 {
            self.begin(self.head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_goodbyes_are_told_from_all_else_wherever_it_is_cut() {
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
            frame(GOAWAY, 8),
            frame(DATA, 9),
        ]
        .concat();
        for piece in 1..=all.len() {
            let mut frames = Frames::default();
            let found = all.chunks(piece).map(|bytes| frames.follow(bytes));
            let (mut data, mut goodbyes) = (0, 0);
            for found in found {
                data += found.data;
                goodbyes += usize::from(found.goodbye);
            }
            assert_eq!((data, goodbyes), (109, 1), "in pieces of {piece}");
        }
        let goodbye = all.len() - 18;
        assert!(!Frames::default().follow(&all[..goodbye - 1]).goodbye);
        assert!(Frames::default().follow(&all[..goodbye]).goodbye);
    }
}
