//! What the frames are that come: how much of them is DATA, which of it nobody is to count, and whether
//! there is a GOAWAY.

use crate::gone::Gone;
use std::sync::Arc;

/// Follows the frames of a connection (RFC 9113, 4.1).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The head of a frame, as far as it has come; in one piece it is never here.
    head: [u8; HEAD],
    came: usize,
    /// So many bytes of the payload are still to come.
    left: usize,
    kind: u8,
    gone: Arc<Gone>,
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
/// The flags of DATA.
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;

// === impl Frames ===

impl Frames {
    /// Those of a connection whose streams are `gone`.
    pub(crate) fn new(gone: Arc<Gone>) -> Self {
        Self {
            gone,
            ..Self::default()
        }
    }

    /// What is among `bytes`, which come after all before.
    ///
    /// Frames of DATA without any are made to be of no kind: h2 ends a connection that had a hundred
    /// of them in its life, whoever's they were. And those of a stream that was given up are made to be
    /// its last: h2 passes over them, but takes small ones out of a budget that only reading fills
    /// again, unless they end a stream. (One whose head comes in two pieces it may see as it is.)
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
        let &mut [a, b, c, ref mut kind, ref mut flags, ref stream @ ..] = head else {
            return;
        };
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        self.kind = *kind;
        if *kind != DATA || *flags & END_STREAM != 0 {
            return;
        }
        if self.left == 0 && *flags & PADDED == 0 {
            *kind = NOTHING;
        } else if let &[a, b, c, d] = stream
            && self.gone.has(u32::from_be_bytes([a & 0x7f, b, c, d]))
        {
            *flags |= END_STREAM;
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

    #[test]
    fn data_of_a_stream_that_was_given_up_is_its_last() {
        let gone = Arc::<Gone>::default();
        gone.note(3);
        let frame = |kind, flags, stream: u8| [0, 0, 1, kind, flags, 0x80, 0, 0, stream, 7];
        for (kind, flags, stream, seen) in [
            (DATA, 0, 3, END_STREAM),
            (DATA, PADDED, 3, END_STREAM | PADDED),
            (DATA, END_STREAM, 3, END_STREAM),
            (DATA, 0, 1, 0),
            (DATA, 0, 5, 0),
            (1, 0x4, 3, 0x4),
            (GOAWAY, 0, 3, 0),
        ] {
            let mut came = frame(kind, flags, stream);
            Frames::new(Arc::clone(&gone)).follow(&mut came);
            assert_eq!(came, frame(kind, seen, stream));
        }
    }
}
