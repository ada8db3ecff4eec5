//! The two ids of W3C trace context.

use crate::hex::{self, Case};
use std::{
    error::Error,
    fmt,
    num::{NonZeroU64, NonZeroU128},
    str::FromStr,
};
use ziggurat_core::Dice;

/// Names one trace: everything that follows from one request at the edge. Never zero.
///
/// Shown as 32 lowercase hex digits; a new one is a version 4 UUID as well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

/// Names one step of a trace. Never zero; shown as 16 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId(String);

/// The bits of a UUID that tell its version (4) and its variant (RFC 9562).
const UUID_MASK: u128 = 0xF000_C000_0000_0000_0000;
const UUID_V4: u128 = 0x4000_8000_0000_0000_0000;
/// Where a UUID's text has dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];

// === impl TraceId ===

impl TraceId {
    /// The id of this number, unless that is zero.
    #[must_use]
    pub const fn new(number: u128) -> Option<Self> {
        match NonZeroU128::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// A new one.
    #[must_use]
    pub fn random(dice: &Dice) -> Self {
        let number = (u128::from(dice.number()) << 64) | u128::from(dice.number());
        let number = (number & !UUID_MASK) | UUID_V4;
        Self(NonZeroU128::new(number).unwrap_or(NonZeroU128::MIN))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0.get()
    }

    /// Reads 32 hex digits.
    pub(crate) fn from_hex(digits: &[u8], case: Case) -> Option<Self> {
        hex::parse::<32>(digits, case).and_then(Self::new)
    }

    /// Reads 32 hex digits, or a UUID, in any case.
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        if text.len() != 36 {
            return Self::from_hex(text, Case::Any);
        }
        let mut digits = [0; 32];
        let mut filled = 0;
        for (place, &byte) in text.iter().enumerate() {
            if DASHES.contains(&place) {
                if byte != b'-' {
                    return None;
                }
            } else {
                digits[filled] = byte;
                filled += 1;
            }
        }
        Self::from_hex(&digits, Case::Any)
    }

    /// The 32 digits.
    pub(crate) fn hex(self) -> [u8; 32] {
        let number = self.number();
        let mut text = [0; 32];
        text[..16].copy_from_slice(&hex::digits((number >> 64) as u64));
        text[16..].copy_from_slice(&hex::digits(number as u64));
        text
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TraceId {
    type Err = InvalidId;

    /// Reads 32 hex digits, or a UUID with its dashes.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::from_text(text.as_bytes()).ok_or_else(|| InvalidId(text.to_owned()))
    }
}

// === impl SpanId ===

impl SpanId {
    /// The id of this number, unless that is zero.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// A new one.
    #[must_use]
    pub fn random(dice: &Dice) -> Self {
        Self(NonZeroU64::new(dice.number()).unwrap_or(NonZeroU64::MIN))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// Reads 16 hex digits.
    pub(crate) fn from_hex(digits: &[u8], case: Case) -> Option<Self> {
        let number = hex::parse::<16>(digits, case)?;
        Self::new(u64::try_from(number).ok()?)
    }

    /// The 16 digits.
    pub(crate) fn hex(self) -> [u8; 16] {
        hex::digits(self.number())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SpanId {
    type Err = InvalidId;

    /// Reads 16 hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::from_hex(text.as_bytes(), Case::Any).ok_or_else(|| InvalidId(text.to_owned()))
    }
}

// === impl InvalidId ===

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid trace or span id {:?}", self.0)
    }
}

impl Error for InvalidId {}

/// 32 digits as the 36 characters of a UUID.
pub(crate) fn uuid(digits: &[u8; 32]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    text[..8].copy_from_slice(&digits[..8]);
    text[9..13].copy_from_slice(&digits[8..12]);
    text[14..18].copy_from_slice(&digits[12..16]);
    text[19..23].copy_from_slice(&digits[16..20]);
    text[24..].copy_from_slice(&digits[20..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_hex_and_as_uuid() {
        for dice in [Dice::new(), Dice::seeded(1)] {
            let id = TraceId::random(&dice);
            assert_eq!(id.to_string().parse(), Ok(id));
            let uuid = String::from_utf8(uuid(&id.hex()).to_vec()).unwrap();
            assert_eq!(uuid.parse(), Ok(id));
            assert_eq!(uuid.to_uppercase().parse(), Ok(id));
            assert_eq!((&uuid[14..15], uuid.len()), ("4", 36));
            assert!("89ab".contains(&uuid[19..20]));
            let span = SpanId::random(&dice);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "0",
            "00000000000000000000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "0190a5c27b1e7c3d9e4f0123456789a",
            "0190a5c27b1e7c3d9e4f0123456789ab0",
            "0190a5c27b1e7c3d9e4f0123456789ag",
            "0190a5c27b1e-7c3d-9e4f-0123-456789ab",
            "0190a5c2-7b1e-7c3d-9e4f-0123456789-b",
            "{190a5c2-7b1e-7c3d-9e4f-0123456789a}",
            "\u{ff10}190a5c2-7b1e-7c3d-9e4f-012345678",
        ] {
            assert!(bad.parse::<TraceId>().is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "0000000000000000",
            "00f067aa0ba902b",
            "00f067aa0ba902b7a",
        ] {
            let error = bad.parse::<SpanId>().unwrap_err();
            assert!(error.to_string().starts_with("invalid"), "{bad:?}");
        }
    }
}
