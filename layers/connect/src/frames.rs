//! Which of the bytes that come are DATA, and which of it says nothing.

/// Follows the frames of a connection (RFC 9113, 4.1).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    /// So many bytes of the head have come.
    came: usize,
    /// So many bytes of the payload are still to come.
    left: usize,
    /// Of what kind they are.
    is_data: bool,
}

const HEAD: usize = 9;
const DATA: u8 = 0;
/// Of the flags of DATA: it may be empty without them alone.
const END_STREAM_OR_PADDED: u8 = 0x1 | 0x8;
/// A kind that nobody knows, and so passes over (RFC 9113, 5.5).
const NOTHING: u8 = 0xff;

// === impl Frames ===

impl Frames {
    /// How many of `bytes`, which come after all before, are the payload of DATA.
    ///
    /// Frames of DATA without any are made to be of no kind: h2 ends a connection that had a hundred
    /// of them in its life, whoever's they were. (One whose head comes in two pieces it may see.)
    pub(crate) fn data(&mut self, mut bytes: &mut [u8]) -> usize {
        let mut data = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let (payload, rest) = bytes.split_at_mut(self.left.min(bytes.len()));
                self.left -= payload.len();
                data += if self.is_data { payload.len() } else { 0 };
                bytes = rest;
            } else if self.came == 0 && bytes.len() >= HEAD {
                // Nearly always.
                let (head, rest) = bytes.split_at_mut(HEAD);
                self.begin(head);
                bytes = rest;
            } else {
                let (piece, rest) = bytes.split_at_mut((HEAD - self.came).min(bytes.len()));
                self.collect(piece);
                bytes = rest;
            }
        }
        data
    }

    /// A frame begins, of which the head is not in one piece.
    #[cold]
    fn collect(&mut self, piece: &mut [u8]) {
        let end = self.came + piece.len();
        self.head[self.came..end].copy_from_slice(piece);
        self.came = end % HEAD;
        if self.came == 0 {
            let mut head = self.head;
            self.begin(&mut head);
            // What came before is out of reach.
            let reach = piece.len();
            piece.copy_from_slice(&head[HEAD - reach..]);
        }
    }

    fn begin(&mut self, head: &mut [u8]) {
        let &mut [a, b, c, ref mut kind, flags, ..] = head else {
            return;
        };
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        self.is_data = *kind == DATA;
        if self.is_data && self.left == 0 && flags & END_STREAM_OR_PADDED == 0 {
            *kind = NOTHING;
        }
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
            let mut came = all.clone();
            let pieces = came.chunks_mut(piece);
            let data: usize = pieces.map(|bytes| frames.data(bytes)).sum();
            assert_eq!(data, 109, "in pieces of {piece}");
        }
    }

    #[test]
    fn data_that_is_empty_is_of_no_kind_unless_it_ends_a_stream() {
        const KIND: usize = 3;
        let head = |kind, flags, length: u8| [0, 0, length, kind, flags, 0, 0, 0, 1];
        let said = [
            (DATA, 0, 0, NOTHING),
            (DATA, 0x1, 0, DATA),
            (DATA, 0x8, 0, DATA),
            (DATA, 0, 1, DATA),
            (4, 0, 0, 4),
        ];
        for (kind, flags, length, seen) in said {
            let whole = [&head(kind, flags, length)[..], &vec![7; length.into()]].concat();
            let mut came = [&whole[..], &whole].concat();
            Frames::default().data(&mut came);
            for came in came.chunks(whole.len()) {
                assert_eq!(came[KIND], seen, "{kind} {flags} {length}");
                assert_eq!(came[..KIND], whole[..KIND]);
                assert_eq!(came[KIND + 1..], whole[KIND + 1..]);
            }
        }
    }
}
