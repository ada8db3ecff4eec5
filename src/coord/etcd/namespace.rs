//! A part of the key space that looks like a whole one.

use crate::coord::store::Keys;
use bytes::{Bytes, BytesMut};

/// The prefix that is put before every key.
#[derive(Clone, Debug)]
pub(super) struct Namespace(Bytes);

// === impl Namespace ===

impl Namespace {
    pub(super) const fn new(prefix: Bytes) -> Self {
        Self(prefix)
    }

    /// The key as the cluster knows it.
    pub(super) fn key(&self, key: &[u8]) -> Bytes {
        let Self(prefix) = self;
        let mut whole = BytesMut::with_capacity(prefix.len() + key.len());
        whole.extend_from_slice(prefix);
        whole.extend_from_slice(key);
        whole.freeze()
    }

    /// The keys as the cluster knows them.
    pub(super) fn keys(&self, keys: &Keys) -> Keys {
        let Self(prefix) = self;
        if prefix.is_empty() {
            return keys.clone();
        }
        let start = self.key(keys.start());
        match &**keys.end() {
            [] => Keys::one(start),
            // No end inside is the end of the prefix outside.
            b"\0" => match Keys::prefix(prefix.clone()).end() {
                end if **end == *b"\0" => Keys::starting_at(start),
                end => Keys::between(start, end.clone()),
            },
            end => Keys::between(start, self.key(end)),
        }
    }

    /// The key as the caller knows it; nothing if it is not inside.
    pub(super) fn strip(&self, key: Vec<u8>) -> Option<Bytes> {
        let Self(prefix) = self;
        let key = Bytes::from(key);
        key.starts_with(prefix).then(|| key.slice(prefix.len()..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside_and_nothing_else_is() {
        let sets = [
            Keys::one("b"),
            Keys::prefix("b"),
            Keys::prefix(""),
            Keys::prefix(&b"\xff"[..]),
            Keys::between("a", "b"),
            Keys::between("b", "a"),
            Keys::between("", "b"),
            Keys::starting_at("b"),
        ];
        let keys: [&[u8]; 7] = [b"\0", b"a", b"b", b"b\0", b"ba", b"c", b"\xff\xff"];
        for prefix in [&b""[..], b"ns/", b"n\xff", b"\xff\xff"] {
            let namespace = Namespace::new(Bytes::copy_from_slice(prefix));
            for set in &sets {
                let outside = namespace.keys(set);
                for key in keys {
                    let whole = namespace.key(key);
                    assert_eq!(
                        outside.contains(&whole),
                        set.contains(key),
                        "{set:?} {key:?}"
                    );
                    assert_eq!(namespace.strip(whole.to_vec()).unwrap(), key);
                }
                if !prefix.is_empty() {
                    for other in [&b"a"[..], b"ns", b"ns0", b"o", b"\xff"] {
                        assert!(!outside.contains(other), "{outside:?} {other:?}");
                    }
                }
            }
        }
        let namespace = Namespace::new("ns/".into());
        assert!(namespace.strip(b"nt/a".to_vec()).is_none());
    }
}
