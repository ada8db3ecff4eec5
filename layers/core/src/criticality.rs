//! How much it matters that a call is answered.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header::AsHeaderName};
use std::{fmt, str::FromStr};

/// How much it matters that a call is answered, when not all can be; a request extension.
///
/// The four levels are those of Google's *Site Reliability Engineering* (2016), chapter 21. They are
/// ordered: what is less critical is shed first. It travels as the header
/// [`HEADER`](Self::HEADER), or as the member `criticality` of W3C `baggage`.
///
/// # Defaults
///
/// [`Critical`](Self::Critical).
///
/// ```
/// use ziggurat_core::Criticality;
///
/// let request = http::Request::builder()
///     .header(Criticality::HEADER, "SHEDDABLE")
///     .body(())?;
/// assert_eq!(Criticality::of(&request), Criticality::Sheddable);
/// assert!(Criticality::Sheddable < Criticality::default());
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Criticality {
    /// May be refused often, and sometimes altogether.
    Sheddable,
    /// May be refused in part: batch work, which tries again later.
    SheddablePlus,
    /// What users see, somewhat, when it is refused.
    #[default]
    Critical,
    /// The last to be refused: what everybody sees.
    CriticalPlus,
}

/// A text that is no level of criticality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCriticality;

const BAGGAGE: &str = "baggage";
const MEMBER: &str = "criticality";
/// How much of a baggage is read, about: W3C wants 64 members and 8192 bytes carried on, as a whole.
const MOST_MEMBERS: usize = 180;
const MOST_BYTES: usize = 8_192;

// === impl Criticality ===

impl Criticality {
    /// The header, and gRPC metadata, that carries it. Neither gRPC nor HTTP has a name for it.
    pub const HEADER: HeaderName = HeaderName::from_static("x-criticality");

    /// All levels: the least critical first.
    pub const ALL: [Self; 4] = [
        Self::Sheddable,
        Self::SheddablePlus,
        Self::Critical,
        Self::CriticalPlus,
    ];

    /// What `request` says, or else the default.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::find(request.extensions(), request.headers()).unwrap_or_default()
    }

    /// What the extensions say; or else the header; or else the baggage. What is no level counts as
    /// nothing said.
    #[must_use]
    pub fn find(extensions: &Extensions, headers: &HeaderMap) -> Option<Self> {
        extensions
            .get()
            .copied()
            .or_else(|| Self::parse(text(headers, Self::HEADER)?))
            .or_else(|| Self::in_baggage(headers))
    }

    /// Its name, as it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sheddable => "SHEDDABLE",
            Self::SheddablePlus => "SHEDDABLE_PLUS",
            Self::Critical => "CRITICAL",
            Self::CriticalPlus => "CRITICAL_PLUS",
        }
    }

    /// Its name, as a value for [`HEADER`](Self::HEADER).
    #[must_use]
    pub const fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let same = |level: &Self| {
            let (name, text) = (level.as_str().bytes(), text.bytes());
            let plain = |b: u8| {
                if b == b'-' {
                    b'_'
                } else {
                    b.to_ascii_uppercase()
                }
            };
            name.eq(text.map(plain))
        };
        Self::ALL.into_iter().find(same)
    }

    /// Of all members of a baggage, which may be spread over several headers.
    fn in_baggage(headers: &HeaderMap) -> Option<Self> {
        let mut read = 0;
        headers
            .get_all(BAGGAGE)
            .iter()
            .take_while(|value| {
                let before = read;
                read += value.len();
                before < MOST_BYTES
            })
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .take(MOST_MEMBERS)
            .find_map(Self::member)
    }

    /// Of one member of a baggage: `key=value;properties`.
    fn member(member: &str) -> Option<Self> {
        let (key, value) = member.split_once('=')?;
        let value = value.split(';').next()?;
        (key.trim() == MEMBER).then(|| Self::parse(value.trim()))?
    }
}

impl FromStr for Criticality {
    type Err = UnknownCriticality;

    /// Reads a name in upper or lower case, with `_` or `-`.
    fn from_str(text: &str) -> Result<Self, UnknownCriticality> {
        Self::parse(text).ok_or(UnknownCriticality)
    }
}

impl fmt::Display for Criticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl UnknownCriticality ===

impl fmt::Display for UnknownCriticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a level of criticality")
    }
}

impl std::error::Error for UnknownCriticality {}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_as_it_is_written_and_they_are_in_order() {
        for level in Criticality::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            let lower = level.as_str().to_lowercase().replace('_', "-");
            assert_eq!(lower.parse(), Ok(level));
        }
        assert!(Criticality::ALL.is_sorted());
        for text in ["", "CRITICAL ", "CRITICAL__PLUS", "7"] {
            assert_eq!(
                text.parse::<Criticality>(),
                Err(UnknownCriticality),
                "{text}"
            );
        }
    }

    #[test]
    fn an_extension_outranks_the_header_and_the_header_the_baggage() {
        let baggage = "a=b, criticality=critical-plus;x=y,c";
        let mut request = Request::builder()
            .header(BAGGAGE, baggage)
            .body(())
            .unwrap();
        assert_eq!(Criticality::of(&request), Criticality::CriticalPlus);

        let value = Criticality::SheddablePlus.header_value();
        request.headers_mut().insert(Criticality::HEADER, value);
        assert_eq!(Criticality::of(&request), Criticality::SheddablePlus);

        request.extensions_mut().insert(Criticality::Sheddable);
        assert_eq!(Criticality::of(&request), Criticality::Sheddable);
    }

    #[test]
    fn the_baggage_is_read_in_all_its_headers_and_not_for_ever() {
        let said = |before: &[&str]| {
            let values = before.iter().copied().chain(["criticality=SHEDDABLE"]);
            let values = values.map(|value| HeaderValue::from_str(value).unwrap());
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(BAGGAGE, value);
            }
            Criticality::find(&Extensions::new(), &headers)
        };
        let found = Some(Criticality::Sheddable);
        assert_eq!(said(&["a=1", "b=2, criticality=very", "c"]), found);
        assert_eq!(said(&["a=1"; MOST_MEMBERS - 1]), found);
        assert_eq!(said(&["a=1"; MOST_MEMBERS]), None);
        let half = format!("a={}", "x".repeat(MOST_BYTES / 2 - 2));
        assert_eq!(said(&[&half]), found);
        assert_eq!(said(&[&half, &half]), None);
    }

    #[test]
    fn what_is_no_level_counts_as_nothing_said() {
        for (name, value) in [("x-criticality", "very"), (BAGGAGE, "criticality=very,=,;")] {
            let request = Request::builder().header(name, value).body(()).unwrap();
            assert_eq!(
                Criticality::find(request.extensions(), request.headers()),
                None
            );
            assert_eq!(Criticality::of(&request), Criticality::Critical);
        }
    }
}
