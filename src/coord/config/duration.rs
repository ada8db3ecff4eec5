//! Durations in settings: `"1m"`, or whole nanoseconds.
//!
//! Go writes a duration as a number of nanoseconds, people write `"1m30s"`; both are read. Text is
//! what Go's `time.ParseDuration` takes, without a sign: numbers, each with an optional fraction and
//! one of the units `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`. What is written is a number of
//! nanoseconds, which Go peers can read. The longest duration is Go's, of 2^63 - 1 ns or 292 years.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use std::time::Duration;
//! use ziggurat::coord::duration;
//!
//! #[derive(Deserialize, Serialize)]
//! struct Timeouts {
//!     #[serde(with = "duration")]
//!     open: Duration,
//! }
//!
//! for json in [r#"{"open":"1m"}"#, r#"{"open":60000000000}"#] {
//!     let timeouts: Timeouts = serde_json::from_str(json)?;
//!     assert_eq!(timeouts.open, Duration::from_secs(60));
//!     assert_eq!(serde_json::to_string(&timeouts)?, r#"{"open":60000000000}"#);
//! }
//! # Ok::<_, serde_json::Error>(())
//! ```

// Not humantime's parser: 2.4.0 overflows, and panics, on `18446744073709551615s1000ms`.

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, Unexpected, Visitor},
    ser,
};
use std::{fmt, time::Duration};

struct Text;

/// For `Option<Duration>`, with `#[serde(default, with = "duration::option")]`.
pub mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    #[derive(Deserialize)]
    struct Wrapped(#[serde(with = "super")] Duration);

    /// Writes whole nanoseconds, or null.
    ///
    /// # Errors
    ///
    /// If it is longer than 2^63 - 1 ns.
    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    /// Reads text, whole nanoseconds, or null.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let read = Option::<Wrapped>::deserialize(from)?;
        Ok(read.map(|Wrapped(duration)| duration))
    }
}

const MAX: u128 = i64::MAX as u128;

/// Writes whole nanoseconds.
///
/// # Errors
///
/// If it is longer than 2^63 - 1 ns.
pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    match i64::try_from(value.as_nanos()) {
        Ok(nanos) => to.serialize_i64(nanos),
        Err(_) => Err(ser::Error::custom("a duration must be at most 292 years")),
    }
}

/// Reads text or whole nanoseconds.
///
/// # Errors
///
/// If it is anything else, negative, or longer than 2^63 - 1 ns.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Text)
}

// === impl Text ===

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"1m30s\", or whole nanoseconds, of at most 292 years")
    }

    fn visit_u64<E: Error>(self, nanos: u64) -> Result<Duration, E> {
        if u128::from(nanos) > MAX {
            return Err(E::invalid_value(Unexpected::Unsigned(nanos), &self));
        }
        Ok(Duration::from_nanos(nanos))
    }

    fn visit_i64<E: Error>(self, nanos: i64) -> Result<Duration, E> {
        match u64::try_from(nanos) {
            Ok(nanos) => self.visit_u64(nanos),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(nanos), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut nanos = 0_u128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        let (name, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let unit = unit(name)?;
        // What is cut off here is below a nanosecond.
        let fraction = &fraction[..fraction.len().min(18)];
        let (number, scale) = (
            format!("{whole}{fraction}"),
            10_u128.pow(fraction.len() as u32),
        );
        let number: u128 = number.parse().ok()?;
        nanos = nanos.checked_add(number.checked_mul(unit)? / scale)?;
        rest = after;
    }
    let nanos = u64::try_from(nanos)
        .ok()
        .filter(|nanos| u128::from(*nanos) <= MAX)?;
    (!text.is_empty()).then(|| Duration::from_nanos(nanos))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

const fn is_number(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

fn unit(name: &str) -> Option<u128> {
    Some(match name {
        "ns" => 1,
        // The micro sign, and the Greek letter, as Go has it.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_go_reads_it() {
        for (text, nanos) in [
            ("1m", 60_000_000_000),
            ("1m0s", 60_000_000_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("0.1234567899s", 123_456_789),
            ("0.00000000000000000000000000001h", 0),
            ("2\u{b5}s", 2_000),
            ("2\u{3bc}s", 2_000),
            ("0s", 0),
            ("9223372036854775807ns", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in [
            "",
            " ",
            "1",
            "m",
            "-1s",
            "1 m",
            "1d",
            "1m ",
            "s1",
            ".s",
            "1..5s",
            "1.5.5s",
            "\u{661}s",
            "9223372036854775808ns",
            "18446744073709551615s1000ms",
            "1e3s",
            "+1s",
            "340282366920938463463374607431768211455h",
            "999999999999999999999999999999999999999999ns",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_one_is_refused_with_its_value() {
        let read = |json: &str| {
            let mut json = serde_json::Deserializer::from_str(json);
            deserialize(&mut json).unwrap_err().to_string()
        };
        assert!(read("-1").contains("integer `-1`"));
        assert!(read("9223372036854775808").contains("integer `9223372036854775808`"));
        assert!(read("1.5").contains("floating point `1.5`"));
        assert!(read("\"soon\"").contains("string \"soon\""));
        assert!(serialize(&Duration::MAX, serde_json::value::Serializer).is_err());
    }
}
