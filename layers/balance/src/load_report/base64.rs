//! Base64 (RFC 4648) as gRPC has it in the values of binary headers: with padding or without.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING: u8 = b'=';

/// Without padding, as gRPC wants it to be sent.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .zip([16, 8, 0])
            .fold(0_u32, |bits, (byte, shift)| {
                bits | u32::from(*byte) << shift
            });
        for shift in [18, 12, 6, 0].into_iter().take(group.len() + 1) {
            text.push(char::from(ALPHABET[(bits >> shift & 63) as usize]));
        }
    }
    text
}

/// What `text` stands for, in `room`; `None`: nothing, or there is too little room.
pub(super) fn decode<'r>(text: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let text = unpadded(text)?;
    let (mut bits, mut held, mut length) = (0_u32, 0, 0);
    for symbol in text {
        bits = bits << 6 | sextet(*symbol)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *room.get_mut(length)? = (bits >> held) as u8;
            length += 1;
        }
    }
    // Six bits are no byte; fewer are what is over, and some encoders leave anything there.
    (held < 6).then(|| &room[..length])
}

/// What is padded at all is padded to four.
fn unpadded(text: &[u8]) -> Option<&[u8]> {
    let bare = match text {
        [bare @ .., PADDING, PADDING] | [bare @ .., PADDING] => bare,
        bare => return Some(bare),
    };
    (text.len().is_multiple_of(4)).then_some(bare)
}

fn sextet(symbol: u8) -> Option<u32> {
    let sextet = match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(sextet))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4648, section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_published_vectors_are_read_with_padding_and_without() {
        for (bytes, text) in VECTORS {
            let bare = text.trim_end_matches('=');
            assert_eq!(encode(bytes.as_bytes()), bare);
            for text in [text, bare] {
                let mut room = [0; 8];
                let decoded = decode(text.as_bytes(), &mut room);
                assert_eq!(decoded, Some(bytes.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_base64_is_nothing() {
        for text in [
            "Z", "Zg=", "Zg===", "=", "Zm9v=", "Zm-v", "Zm 9v", "Z=g=", "Zm9vY",
        ] {
            assert_eq!(decode(text.as_bytes(), &mut [0; 8]), None, "{text}");
        }
        assert_eq!(decode(b"Zm9v", &mut [0; 2]), None, "no room");
    }
}
