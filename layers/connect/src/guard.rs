//! What a peer sent that would make its readers panic.

use http::HeaderMap;

/// The details of a status, in base64 as all metadata whose name ends in `-bin`.
const DETAILS: &str = "grpc-status-details-bin";

/// Takes details out that are not base64: there are readers, a generated client's among them, who
/// panic at such. The status itself stays.
pub(crate) fn guard(headers: &mut HeaderMap) {
    // There are few of them: to look it up costs more than to pass by them all.
    let mut details = headers.iter().filter(|(name, _)| name.as_str() == DETAILS);
    if details.any(|(_, value)| !is_base64(value.as_bytes())) {
        tracing::debug!("a peer sent grpc-status-details-bin that is not base64");
        headers.remove(DETAILS);
    }
}

/// Is this base64 of the standard alphabet, padded in full or not at all?
fn is_base64(text: &[u8]) -> bool {
    let padded = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padded];
    if padded > 0 && (padded > 2 || !text.len().is_multiple_of(4)) {
        return false;
    }
    if !digits.iter().all(|digit| value(digit).is_some()) {
        return false;
    }
    // What does not fill a byte must be zero.
    let rest = match digits.len() % 4 {
        0 => 0,
        1 => return false,
        2 => 0b1111,
        _ => 0b11,
    };
    let last = digits.last().and_then(value);
    last.is_none_or(|last| last & rest == 0)
}

fn value(digit: &u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn base64_is_told_from_what_is_not() {
        for (text, is) in [
            ("", true),
            ("AA==", true),
            ("AA", true),
            ("AAA=", true),
            ("AAA", true),
            ("AAAA", true),
            ("+/+/", true),
            ("A", false),
            ("AAAAA", false),
            ("AA=", false),
            ("A===", false),
            ("====", false),
            ("=", false),
            ("AA==AAAA", false),
            ("AA==,AA==", false),
            ("AB==", false),
            ("AAB=", false),
            ("AAB", false),
            ("-_-_", false),
            ("AA A", false),
            ("AAA\u{e9}", false),
        ] {
            assert_eq!(is_base64(text.as_bytes()), is, "{text:?}");
        }
    }

    #[test]
    fn bad_details_go_and_all_else_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(DETAILS, HeaderValue::from_static("CAc="));
        headers.insert("grpc-status", HeaderValue::from_static("7"));
        let good = headers.clone();
        guard(&mut headers);
        assert_eq!(headers, good);
        headers.insert(DETAILS, HeaderValue::from_static("%%%"));
        guard(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["grpc-status"], "7");
    }
}
