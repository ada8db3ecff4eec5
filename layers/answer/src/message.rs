//! The text of `grpc-message`.

use http::HeaderValue;

/// Headers are small, and a reason is a few words.
const MAX_BYTES: usize = 1_024;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes what the specification wants encoded: all but printable ASCII, and the percent
/// sign (grpc/grpc, `doc/PROTOCOL-HTTP2.md`). Cuts what is longer than 1 KiB.
pub(crate) fn encode(message: &str) -> HeaderValue {
    let message = truncate(message);
    let mut encoded = Vec::with_capacity(message.len());
    for &byte in message.as_bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => encoded.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            printable => encoded.push(printable),
        }
    }
    // Only printable ASCII is left, of which every header may consist.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(encoded))
        .unwrap_or(HeaderValue::from_static(""))
}

pub(crate) fn truncate(message: &str) -> &str {
    let mut end = message.len().min(MAX_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_ascii_is_percent_encoded() {
        for (message, encoded) in [
            ("", ""),
            ("rate limit exceeded", "rate limit exceeded"),
            ("100%", "100%25"),
            ("a\r\nb\tc\0", "a%0D%0Ab%09c%00"),
            ("~\u{7f}", "~%7F"),
            ("déjà ☃", "d%C3%A9j%C3%A0 %E2%98%83"),
            (
                " !\"#$&'()*+,-./:;<=>?@[]^_`{|}",
                " !\"#$&'()*+,-./:;<=>?@[]^_`{|}",
            ),
        ] {
            assert_eq!(encode(message), encoded, "{message:?}");
        }
    }

    #[test]
    fn a_message_is_cut_between_two_characters() {
        let long = "☃".repeat(1_000);
        assert_eq!(truncate(&long).len(), 1_023);
        assert_eq!(encode(&long).len(), 1_023 * 3);
    }
}
