//! What the frames are that come: how much of them is DATA, which of it says nothing, and whether there
//! is a GOAWAY.

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
/// A kind that nobody knows, and so passes over (RFC 9113, 5.5).
const NOTHING: u8 = 0xff;
/// Of the flags of DATA: it may be empty without them alone.
const END_STREAM_OR_PADDED: u8 = 0x1 | 0x8;

// === impl Frames ===

impl Frames {
    /// What is among `bytes`, which come after all before.
    ///
    /// Frames of DATA without any are made to be of no kind: h2 ends a connection that had a hundred
    /// of them in its life, whoever's they were. (One whose head comes in two pieces it may see.)
    pub(crate) fn follow(&mut self, mut bytes: &mut [u8]) -> Found {
        let mut found = Found::default();
        loop {
            let payload = self.left.min(bytes.len());
            self.left -= payload;
            match self.kind {
                DATA => found.data += payload,
                GOAWAY => found.goodbye |= payload > 0 && self.left == 0,
                _ => {}
            }
            bytes = &mut bytes[payload..];
            if bytes.is_empty() {
                return found;
            }
            let wanted = HEAD - self.came;
            let (head, rest) = bytes.split_at_mut(wanted.min(bytes.len()));
            if head.len() == HEAD {
                self.begin(head);
            } else {
                self.piece(head);
            }
            bytes = rest;
        }
    }

    fn begin(&mut self, head: &mut [u8]) {
        let &mut [a, b, c, ref mut kind, flags, ..] = head else {
            return;
        };
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        self.kind = *kind;
        if *kind == DATA && self.left == 0 && flags & END_STREAM_OR_PADDED == 0 {
            *kind = NOTHING;
        }
    }

    /// A part of a head that comes in several.
    #[cold]
    fn piece(&mut self, part: &mut [u8]) {
        let end = self.came + part.len();
        self.head[self.came..end].copy_from_slice(part);
        self.came = end % HEAD;
        if self.came == 0 {
            let mut head = self.head;
            self.begin(&mut head);
            // What came before is out of reach.
            part.copy_from_slice(&head[HEAD - part.len()..]);
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
            let mut came = all.clone();
            let found = came.chunks_mut(piece).map(|bytes| frames.follow(bytes));
            let (mut data, mut goodbyes) = (0, 0);
            for found in found {
                data += found.data;
                goodbyes += usize::from(found.goodbye);
            }
            assert_eq!((data, goodbyes), (109, 1), "in pieces of {piece}");
        }
        let goodbye = all.len() - 18;
        let mut all = all;
        assert!(!Frames::default().follow(&mut all[..goodbye - 1]).goodbye);
        assert!(Frames::default().follow(&mut all[..goodbye]).goodbye);
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
            Frames::default().follow(&mut came);
            for came in came.chunks(whole.len()) {
                assert_eq!(came[KIND], seen, "{kind} {flags} {length}");
                assert_eq!(came[..KIND], whole[..KIND]);
                assert_eq!(came[KIND + 1..], whole[KIND + 1..]);
            }
        }
    }
}
