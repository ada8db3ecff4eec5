//! Who stands where in a line of keys.

use crate::coord::store::KeyValue;
use bytes::Bytes;

/// Where an own key stands in the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// At its head, by a key that this revision made.
    First(i64),
    /// Right after this key.
    Behind(Bytes),
    /// Nowhere: the key is gone.
    Nowhere,
}

/// Those who stand in line for `prefix`, in no order.
///
/// Of a line whose name begins with this one's, such as `a/b` for `a`, the keys are found under this
/// prefix as well, but have more than one part after it.
pub(super) fn contenders<'a>(
    prefix: &str,
    kvs: impl IntoIterator<Item = &'a KeyValue>,
) -> impl Iterator<Item = &'a KeyValue> {
    let is_lease = |name: &[u8]| {
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (1..=16).contains(&name.len()) && name.iter().all(is_hex)
    };
    kvs.into_iter()
        .filter(move |kv| kv.key.strip_prefix(prefix.as_bytes()).is_some_and(is_lease))
}

/// What the order in line goes by. Only a foreign transaction can make two keys at one revision.
pub(super) fn place<'a>(kv: &&'a KeyValue) -> (i64, &'a Bytes) {
    (kv.create_revision, &kv.key)
}

/// Where the key `own` stands among these.
pub(super) fn standing(prefix: &str, kvs: &[KeyValue], own: &[u8]) -> Standing {
    let Some(own) = kvs.iter().find(|kv| kv.key == own) else {
        return Standing::Nowhere;
    };
    let before = contenders(prefix, kvs).filter(|kv| place(kv) < place(&own));
    match before.max_by_key(place) {
        Some(before) => Standing::Behind(before.key.clone()),
        None => Standing::First(own.create_revision),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keys: &[(&'static str, i64)]) -> Vec<KeyValue> {
        let kv = |&(key, create_revision): &(&'static str, i64)| KeyValue {
            key: key.into(),
            create_revision,
            ..KeyValue::default()
        };
        keys.iter().map(kv).collect()
    }

    #[test]
    fn the_order_is_that_of_making_and_each_waits_for_the_one_before() {
        let kvs = line(&[("/l/a/1", 7), ("/l/a/2", 5), ("/l/a/3", 6)]);
        let stands = |own: &str| standing("/l/a/", &kvs, own.as_bytes());
        assert_eq!(stands("/l/a/2"), Standing::First(5));
        assert_eq!(stands("/l/a/3"), Standing::Behind("/l/a/2".into()));
        assert_eq!(stands("/l/a/1"), Standing::Behind("/l/a/3".into()));
        assert_eq!(stands("/l/a/4"), Standing::Nowhere);
    }

    #[test]
    fn what_is_no_lease_directly_under_the_prefix_does_not_count() {
        let others = ["b/1", "1/1", "", "x", "A", "00000000000000001", "1/"];
        for other in others {
            let mut kvs = line(&[("/l/a/1", 7)]);
            kvs.push(KeyValue {
                key: format!("/l/a/{other}").into(),
                create_revision: 1,
                ..KeyValue::default()
            });
            assert_eq!(
                standing("/l/a/", &kvs, b"/l/a/1"),
                Standing::First(7),
                "{other}"
            );
        }
    }
}
