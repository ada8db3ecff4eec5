//! What is wrong with a setting.

use std::{error::Error, fmt};

/// A setting that could never work: whose it is, the field, the value, and the rule that it breaks.
///
/// Every layer refuses such a value where it is made, so none ever gets in force.
///
/// ```
/// use ziggurat_core::InvalidSetting;
///
/// let error = InvalidSetting::new("breaker settings", "failure_ratio", 1.5, "must be from 0 to 1");
/// assert_eq!(error.to_string(), "invalid breaker settings: failure_ratio 1.5 must be from 0 to 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    of: &'static str,
    field: &'static str,
    value: Box<str>,
    rule: &'static str,
}

/// The longest value that an error repeats, in bytes: what is wrong may be very long.
const MAX_VALUE: usize = 255;

// === impl InvalidSetting ===

impl InvalidSetting {
    /// The `field` `of` something cannot be `value`, because of `rule`.
    #[must_use]
    pub fn new(
        of: &'static str,
        field: &'static str,
        value: impl fmt::Debug,
        rule: &'static str,
    ) -> Self {
        let value = format!("{value:?}");
        let ends = value.char_indices().map(|(at, c)| at + c.len_utf8());
        let end = ends.take_while(|end| *end <= MAX_VALUE).last().unwrap_or(0);
        Self {
            of,
            field,
            value: value[..end].into(),
            rule,
        }
    }

    /// The field that is wrong.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The value that is wrong, as `Debug` shows it, cut to 255 bytes.
    #[must_use]
    pub const fn value(&self) -> &str {
        &self.value
    }

    /// The rule that it breaks.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            of,
            field,
            value,
            rule,
        } = self;
        write!(f, "invalid {of}: {field} {value} {rule}")
    }
}

impl Error for InvalidSetting {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_very_long_value_is_cut() {
        let error = InvalidSetting::new("key", "name", "\u{e9}".repeat(1_000), "is too long");
        assert!(error.value().len() <= MAX_VALUE && error.value().len() > MAX_VALUE - 2);
        assert_eq!((error.field(), error.rule()), ("name", "is too long"));
    }
}
