//! Which keys an operation is about.

use bytes::Bytes;
use std::{fmt, ops::Bound};

/// A set of keys: one key, all with a prefix, or an interval.
///
/// It is held as etcd's protocol has it: a first key, and an end that is excluded, where an empty
/// end means the first key alone and the end `"\0"` means no end.
///
/// ```
/// use ziggurat::coord::Keys;
///
/// let keys = Keys::prefix("im-logic/");
/// assert!(keys.contains(b"im-logic/1"));
/// assert!(!keys.contains(b"im-logic2/1"));
/// assert_eq!(keys.end(), "im-logic0");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    start: Bytes,
    end: Bytes,
}

const NO_END: &[u8] = b"\0";

// === impl Keys ===

impl Keys {
    /// This one key.
    pub fn one(key: impl Into<Bytes>) -> Self {
        Self {
            start: key.into(),
            end: Bytes::new(),
        }
    }

    /// All keys that begin with `prefix`; with an empty one, all keys.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        let end = after_prefix(&prefix);
        Self {
            start: first(prefix),
            end,
        }
    }

    /// The keys from `start`, included, to `end`, excluded.
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        let (start, end) = (first(start.into()), end.into());
        // These two would mean "one key" and "no end"; as an interval both hold nothing.
        let end = if end.len() <= 1 && *end <= *NO_END {
            start.clone()
        } else {
            end
        };
        Self { start, end }
    }

    /// All keys from `start` on.
    pub fn starting_at(start: impl Into<Bytes>) -> Self {
        Self {
            start: first(start.into()),
            end: Bytes::from_static(NO_END),
        }
    }

    /// Those of a set of many that are not before `start`.
    pub(crate) fn rest(&self, start: Bytes) -> Self {
        let end = self.end.clone();
        Self { start, end }
    }

    /// The first key; etcd's `key`.
    #[must_use]
    pub const fn start(&self) -> &Bytes {
        &self.start
    }

    /// Where it ends; etcd's `range_end`.
    #[must_use]
    pub const fn end(&self) -> &Bytes {
        &self.end
    }

    /// Whether `key` is one of them.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match &*self.end {
            [] => *self.start == *key,
            NO_END => *self.start <= *key,
            end => *self.start <= *key && key < end,
        }
    }

    /// Whether no key can be one of them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &*self.end {
            [] => self.start.is_empty(),
            NO_END => false,
            end => *self.start >= *end,
        }
    }

    /// The bounds to look in a sorted map with; nothing if there is nothing to look for.
    pub(crate) fn bounds(&self) -> Option<(Bound<&[u8]>, Bound<&[u8]>)> {
        if self.is_empty() {
            return None;
        }
        let start = Bound::Included(&*self.start);
        Some(match &*self.end {
            [] => (start, start),
            NO_END => (start, Bound::Unbounded),
            end => (start, Bound::Excluded(end)),
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end } = self;
        match &**end {
            [] => write!(f, "{start:?}"),
            NO_END => write!(f, "{start:?}.."),
            _ => write!(f, "{start:?}..{end:?}"),
        }
    }
}

/// The store has no empty key, so the first one that there can be is `"\0"`.
fn first(key: Bytes) -> Bytes {
    if key.is_empty() {
        Bytes::from_static(NO_END)
    } else {
        key
    }
}

/// The first key after all that begin with `prefix`.
fn after_prefix(prefix: &[u8]) -> Bytes {
    let Some(last) = prefix.iter().rposition(|&byte| byte != u8::MAX) else {
        return Bytes::from_static(NO_END);
    };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    end.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_etcd_ends_it() {
        assert_eq!(Keys::prefix("a/").end(), "a0");
        assert_eq!(Keys::prefix(&b"a\xff\xff"[..]).end(), "b");
        assert_eq!(Keys::prefix(&b"\xff"[..]).end(), "\0");
        assert_eq!(Keys::prefix(""), Keys::starting_at(""));
        assert_eq!(Keys::prefix("").start(), "\0");
    }

    #[test]
    fn bounds_and_contains_agree() {
        let sets = [
            Keys::one("b"),
            Keys::one(""),
            Keys::prefix("b"),
            Keys::prefix(""),
            Keys::prefix(&b"\xff"[..]),
            Keys::between("a", "b"),
            Keys::between("b", "a"),
            Keys::between("a", ""),
            Keys::between("", "b"),
            Keys::between("a", "\0"),
            Keys::starting_at("b"),
        ];
        let keys: [&[u8]; 8] = [b"\0", b"a", b"a\0", b"b", b"b\0", b"ba", b"c", b"\xff\xff"];
        for set in sets {
            for key in keys {
                let inside = set
                    .bounds()
                    .is_some_and(|bounds| std::ops::RangeBounds::<[u8]>::contains(&bounds, key));
                assert_eq!(set.contains(key), inside, "{set:?} {key:?}");
                assert!(!inside || !set.is_empty());
            }
        }
    }
}
