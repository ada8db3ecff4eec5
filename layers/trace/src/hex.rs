//! Hex digits.

/// Whether capital digits are taken; `traceparent` takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Any,
}

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

/// The 16 digits of `number`, in lowercase.
pub(crate) fn digits(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    text[..8].copy_from_slice(&eight((number >> 32) as u32));
    text[8..].copy_from_slice(&eight(number as u32));
    text
}

/// Eight digits at once, each in a byte of one word: a step for every digit takes ten times as long.
fn eight(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut spread = u64::from(number);
    spread = (spread | (spread << 16)) & 0x0000_FFFF_0000_FFFF;
    spread = (spread | (spread << 8)) & 0x00FF_00FF_00FF_00FF;
    spread = (spread | (spread << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    // One in the bytes of ten and more.
    let letters = ((spread + 6 * ONES) >> 4) & ONES;
    let past_digits = u64::from(b'a' - b'0' - 10);
    (spread + u64::from(b'0') * ONES + past_digits * letters).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_written_as_the_standard_library_writes_them() {
        let mut number = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..1_000 {
            number = number.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            for number in [number, number >> 40, 0, u64::MAX, 0x0123_4567_89ab_cdef] {
                assert_eq!(
                    digits(number).as_slice(),
                    format!("{number:016x}").as_bytes()
                );
            }
        }
    }
}
