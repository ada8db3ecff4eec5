//! What the peer is to remember of the heads of our calls.

use http::HeaderMap;
use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};
use ziggurat_core::grpc;

/// What HPACK (RFC 7541) is told of header lines that differ from call to call.
///
/// Remembered, such a line would push what repeats out of the table, and be looked for in vain: it is
/// a "never indexed literal" (6.2.3), the one kind that h2 can be asked for. But of a line that the
/// peer remembers its name need not be spelled again; so the first few are remembered after all.
#[derive(Debug)]
pub(crate) struct Lexicon {
    /// A bit for each name that the peer has not learned, and above them how many calls may teach.
    lessons: AtomicU8,
    /// What the last call was told that it has left, in milliseconds.
    left: AtomicU64,
}

/// What is another in every call.
const UNLIKE: [&str; 3] = ["traceparent", "x-trace-id", "grpc-timeout"];
const ALL: u8 = 0b111;
/// One call.
const CALL: u8 = ALL + 1;
/// More than one: the first call may be one without a trace.
const CALLS: u8 = 4;
/// A millisecond more or less of so much is nothing.
const LONG: Duration = Duration::from_secs(1);

// === impl Lexicon ===

impl Lexicon {
    pub(crate) const fn new() -> Self {
        Self {
            lessons: AtomicU8::new(CALLS * CALL + ALL),
            left: AtomicU64::new(0),
        }
    }

    /// Is this line another in every call?
    pub(crate) fn is_unlike(name: &str) -> bool {
        // All but the last, which is written later.
        UNLIKE[..2].contains(&name)
    }

    /// Writes how long the caller will still wait: of a long time whole milliseconds, rounded up, so
    /// that calls with the same timeout say the same.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, left: Duration) {
        let (left, again) = if left < LONG {
            (left, false)
        } else {
            self.rounded(left)
        };
        let mut text = grpc::encode_timeout(left);
        text.set_sensitive(!again);
        headers.insert(grpc::TIMEOUT, text);
    }

    /// Lets the peer remember the names in the head of one of the first calls.
    pub(crate) fn teach(&self, headers: &mut HeaderMap) {
        // Read first: afterwards the line stays shared by all cores.
        let mut lessons = self.lessons.load(Ordering::Relaxed);
        if lessons & ALL == 0 || lessons < CALL {
            return;
        }
        lessons -= CALL;
        for (place, name) in UNLIKE.into_iter().enumerate() {
            // Once: what has the same name is searched one by one.
            if lessons & (1 << place) != 0
                && let Some(value) = headers.get_mut(name)
            {
                value.set_sensitive(false);
                lessons &= !(1 << place);
            }
        }
        // Two that teach at once teach the same.
        self.lessons.store(lessons, Ordering::Relaxed);
    }

    /// Whole milliseconds, and whether the last call was told the same.
    fn rounded(&self, left: Duration) -> (Duration, bool) {
        // By its parts: as nanoseconds it has 128 bits, which are slowly divided.
        let part = u64::from(left.subsec_nanos().div_ceil(1_000_000));
        let millis = left.as_secs().saturating_mul(1_000).saturating_add(part);
        let again = self.left.load(Ordering::Relaxed) == millis;
        if !again {
            self.left.store(millis, Ordering::Relaxed);
        }
        (Duration::from_millis(millis), again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn told(lexicon: &Lexicon, micros: u64) -> (String, bool) {
        let mut headers = HeaderMap::new();
        lexicon.tell(&mut headers, Duration::from_micros(micros));
        let text = &headers[grpc::TIMEOUT];
        (text.to_str().unwrap().to_owned(), !text.is_sensitive())
    }

    #[test]
    fn a_long_timeout_that_repeats_is_remembered_and_never_shortened() {
        let lexicon = Lexicon::new();
        for (micros, text, remembered) in [
            (29_999_990, "30000000u", false),
            (29_999_980, "30000000u", true),
            (29_999_000, "29999000u", false),
            (30_000_000, "30000000u", false),
            (30_000_000, "30000000u", true),
            (999_999, "999999u", false),
            (999_999, "999999u", false),
            (1_000_001, "1001000u", false),
        ] {
            assert_eq!(told(&lexicon, micros), (text.to_owned(), remembered));
        }
        let mut headers = HeaderMap::new();
        lexicon.tell(&mut headers, Duration::MAX);
        assert_eq!(headers[grpc::TIMEOUT], "99999999H");
    }

    #[test]
    fn each_name_is_remembered_once_by_one_of_the_first_calls() {
        let learned = |calls: &[&[&'static str]]| {
            let lexicon = Lexicon::new();
            let mut learned = Vec::new();
            for names in calls {
                let mut headers = HeaderMap::new();
                for name in names.iter().copied().chain(["secret"]) {
                    let mut value = HeaderValue::from_static("1");
                    value.set_sensitive(true);
                    headers.insert(HeaderName::from_static(name), value);
                }
                lexicon.teach(&mut headers);
                let open = headers.iter().filter(|(_, value)| !value.is_sensitive());
                learned.push(open.map(|(name, _)| name.to_string()).collect::<Vec<_>>());
            }
            learned
        };
        assert_eq!(
            learned(&[&[], &["traceparent", "grpc-timeout"], &UNLIKE, &UNLIKE]),
            [
                vec![],
                vec!["traceparent", "grpc-timeout"],
                vec!["x-trace-id"],
                vec![]
            ]
        );
        let none: Vec<Vec<String>> = vec![vec![]; 5];
        assert_eq!(learned(&[&[], &[], &[], &[], &UNLIKE]), none);
    }
}
