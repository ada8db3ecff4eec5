//! Ids as text.

use http::HeaderValue;

/// The longest id in hex: 256 bits.
const LONGEST: usize = 64;
/// Where a UUID has its dashes (RFC 9562, section 4).
const DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID: usize = 36;
/// Version 00 of `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
const PARENT: usize = 55;
const PARENT_DASHES: [usize; 3] = [2, 35, 52];

/// Is it a UUID, or at most 64 digits of hex?
pub(crate) fn is_id(text: &[u8]) -> bool {
    let hex = (1..=LONGEST).contains(&text.len()) && text.iter().all(u8::is_ascii_hexdigit);
    hex || (text.len() == UUID && is_dashed(text, &DASHES))
}

/// A `traceparent` that is not sampled; none if it is malformed. As it is, if it is not sampled.
pub(crate) fn unsampled(parent: &HeaderValue) -> Option<HeaderValue> {
    let text = parent.as_bytes();
    let lower = !text.iter().any(u8::is_ascii_uppercase);
    if text.len() != PARENT
        || !text.starts_with(b"00-")
        || !lower
        || !is_dashed(text, &PARENT_DASHES)
    {
        return None;
    }
    let mut text: [u8; PARENT] = text.try_into().ok()?;
    // The flag is the last bit of the last digit.
    let digit = char::from(text[PARENT - 1]).to_digit(16)?;
    text[PARENT - 1] = char::from_digit(digit & !1, 16)? as u8;
    HeaderValue::from_bytes(&text).ok()
}

fn is_dashed(text: &[u8], dashes: &[usize]) -> bool {
    text.iter().enumerate().all(|(at, byte)| {
        if dashes.contains(&at) {
            *byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_or_uuids_and_nothing_else() {
        for id in [
            "0190a5c2-7b1e-7c3d-9e4f-0123456789ab",
            "0190A5C27B1E7C3D9E4F0123456789AB",
            "7",
        ] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        let long = "a".repeat(65);
        for no in [
            "",
            "0190a5c2-7b1e-7c3d-9e4f0-123456789ab",
            "0190a5c2 7b1e",
            "<script>",
            "\n",
            &long,
            "0190a5c2-7b1e-7c3d-9e4f-0123456789ag",
        ] {
            assert!(!is_id(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn the_sampled_flag_is_cleared_and_the_others_are_kept() {
        let parent = |flags: &str| {
            let text = format!("00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-{flags}");
            HeaderValue::from_str(&text).unwrap()
        };
        for (flags, cleared) in [("01", "00"), ("00", "00"), ("03", "02"), ("ff", "fe")] {
            assert_eq!(unsampled(&parent(flags)), Some(parent(cleared)));
        }
        for malformed in ["0g", "1", "001", "0A", ""] {
            assert_eq!(unsampled(&parent(malformed)), None, "{malformed}");
        }
    }
}
