//! Hex digits.

/// Whether capital digits are taken; `traceparent` takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Any,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Reads exactly `N` digits, of at most 32.
pub(crate) fn parse<const N: usize>(digits: &[u8], case: Case) -> Option<u128> {
    const { assert!(N <= 32) };
    let digits: &[u8; N] = digits.try_into().ok()?;
    digits.iter().try_fold(0_u128, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' if case == Case::Any => byte - b'A' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(digit))
    })
}

/// Fills `text` with the last digits of `number`, in lowercase.
pub(crate) fn write(mut number: u128, text: &mut [u8]) {
    for byte in text.iter_mut().rev() {
        *byte = DIGITS[(number & 15) as usize];
        number >>= 4;
    }
}
