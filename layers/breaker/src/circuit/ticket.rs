//! What an admitted call takes along, in two words.

use crate::{pace::Pace, word::Word};

/// Under what a call was admitted.
///
/// Two whole words: it travels with every answer, and half a word that is copied whole is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The word of its era. Of a probe, the lower half is its number instead.
    word: u64,
    /// The role, above the pace.
    rest: u64,
}

/// What a call is to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Call(Word),
    /// A probe of this number.
    Probe(u32),
    /// A probe whose answer has begun, and has counted.
    Answered,
}

const PROBE: u64 = 0b10 << Pace::BITS;
const ANSWERED: u64 = 0b01 << Pace::BITS;
const ROLE: u64 = PROBE | ANSWERED;
const NUMBER: u64 = u32::MAX as u64;

// === impl Ticket ===

impl Ticket {
    #[inline(always)]
    pub(super) const fn call(word: Word, pace: Pace) -> Self {
        Self {
            word: word.bits(),
            rest: pace.bits(),
        }
    }

    pub(super) const fn probe(word: Word, number: u32, pace: Pace) -> Self {
        Self {
            word: word.bits() & !NUMBER | number as u64,
            rest: pace.bits() | PROBE,
        }
    }

    /// Is it that of a call whose time is not taken?
    #[inline(always)]
    pub(super) const fn is_plain(self) -> bool {
        self.rest == 0
    }

    /// Of a call.
    #[inline(always)]
    pub(super) const fn word(self) -> Word {
        Word::from_bits(self.word)
    }

    pub(super) const fn role(self) -> Role {
        match self.rest & ROLE {
            PROBE => Role::Probe(self.word as u32),
            ANSWERED => Role::Answered,
            _ => Role::Call(self.word()),
        }
    }

    pub(super) const fn generation(self) -> u32 {
        self.word().generation()
    }

    pub(super) const fn pace(self) -> Pace {
        Pace::from_bits(self.rest & !ROLE)
    }

    pub(super) const fn with_pace(self, pace: Pace) -> Self {
        Self {
            word: self.word,
            rest: self.rest & ROLE | pace.bits(),
        }
    }

    pub(super) const fn answered(self) -> Self {
        Self {
            word: self.word,
            rest: self.rest & !ROLE | ANSWERED,
        }
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{State, word::Measure};

    #[test]
    fn a_ticket_says_what_it_was_made_of() {
        let word = Word::new(State::Closed, 7, Measure::calls(100));
        for pace in [Pace::UNTIMED, Pace::since(5), Pace::since(u64::MAX)] {
            let call = Ticket::call(word, pace);
            assert_eq!((call.role(), call.pace()), (Role::Call(word), pace));
            assert_eq!(call.is_plain(), pace.is_untimed());

            let probe = Ticket::probe(word, u32::MAX, Pace::UNTIMED).with_pace(pace);
            assert_eq!((probe.role(), probe.pace()), (Role::Probe(u32::MAX), pace));
            assert!(!probe.is_plain());

            let answered = probe.answered();
            assert_eq!((answered.role(), answered.pace()), (Role::Answered, pace));
            assert_eq!([call, probe, answered].map(Ticket::generation), [7; 3]);
        }
        assert_eq!(size_of::<Ticket>(), 16);
    }
}
