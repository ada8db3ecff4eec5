//! What etcd answered, as the store says it. A malformed answer is an error, never a panic.

use super::{MAX_TTL, namespace::Namespace};
use crate::coord::store::{
    DeleteResponse, Event, EventKind, KeyValue, LeaseId, LeaseStatus, OpResponse, PutResponse,
    RangeResponse, StoreError, TxnResponse,
};
use bytes::Bytes;
use etcd_client::proto::{
    PbEvent, PbKeyValue, PbLeaseTimeToLiveResponse, PbRangeResponse, PbResponseHeader,
    PbTxnOpResponse, PbTxnResponse,
};
use std::time::Duration;

pub(super) fn range(
    answer: PbRangeResponse,
    namespace: &Namespace,
) -> Result<RangeResponse, StoreError> {
    Ok(RangeResponse {
        revision: revision(answer.header.as_ref())?,
        kvs: key_values(answer.kvs, namespace)?,
        more: answer.more,
        count: count(answer.count)?,
    })
}

pub(super) fn txn(answer: PbTxnResponse, namespace: &Namespace) -> Result<TxnResponse, StoreError> {
    let revision = revision(answer.header.as_ref())?;
    let responses = answer.responses.into_iter();
    let responses = responses.map(|answer| op(answer.response, revision, namespace));
    Ok(TxnResponse {
        succeeded: answer.succeeded,
        revision,
        responses: responses.collect::<Result<_, _>>()?,
    })
}

pub(super) fn lease_status(
    answer: PbLeaseTimeToLiveResponse,
    namespace: &Namespace,
) -> Result<LeaseStatus, StoreError> {
    let keys = answer.keys.into_iter();
    // A lease may hold keys that are not ours to see.
    let mut keys: Vec<_> = keys.filter_map(|key| namespace.strip(key)).collect();
    keys.sort_unstable();
    Ok(LeaseStatus {
        remaining: seconds(answer.ttl)?,
        granted: seconds(answer.granted_ttl)?,
        keys,
    })
}

pub(super) fn event(event: PbEvent, namespace: &Namespace) -> Result<Event, StoreError> {
    let kind = match event.r#type {
        0 => EventKind::Put,
        1 => EventKind::Delete,
        other => return Err(malformed("an event is of a kind", &other)),
    };
    let kv = event
        .kv
        .ok_or_else(|| malformed("an event has", &"no key"))?;
    let prev = event.prev_kv.map(|prev| key_value(prev, namespace));
    Ok(Event {
        kind,
        kv: key_value(kv, namespace)?,
        prev: prev.transpose()?,
    })
}

pub(super) fn revision(header: Option<&PbResponseHeader>) -> Result<i64, StoreError> {
    let header = header.ok_or_else(|| malformed("an answer has", &"no header"))?;
    counted(header.revision)
}

/// A revision, or a version: there is another after it.
fn counted(number: i64) -> Result<i64, StoreError> {
    let sane = (0..i64::MAX).contains(&number);
    sane.then_some(number)
        .ok_or_else(|| malformed("a revision is", &number))
}

pub(super) fn seconds(seconds: i64) -> Result<Duration, StoreError> {
    let checked = u64::try_from(seconds).map(Duration::from_secs).ok();
    let checked = checked.filter(|time| *time <= MAX_TTL);
    checked.ok_or_else(|| malformed("a time in seconds is", &seconds))
}

/// An answer within a transaction that was answered at `revision`.
fn op(
    answer: Option<PbTxnOpResponse>,
    revision: i64,
    namespace: &Namespace,
) -> Result<OpResponse, StoreError> {
    let at = |header: Option<PbResponseHeader>| {
        let own = header.map(|header| header.revision);
        own.filter(|own| (1..i64::MAX).contains(own))
            .unwrap_or(revision)
    };
    Ok(match answer {
        Some(PbTxnOpResponse::ResponseRange(found)) => OpResponse::Range(RangeResponse {
            revision: at(found.header),
            kvs: key_values(found.kvs, namespace)?,
            more: found.more,
            count: count(found.count)?,
        }),
        Some(PbTxnOpResponse::ResponsePut(written)) => {
            let prev = written.prev_kv.map(|prev| key_value(prev, namespace));
            OpResponse::Put(PutResponse {
                revision: at(written.header),
                prev: prev.transpose()?,
            })
        }
        Some(PbTxnOpResponse::ResponseDeleteRange(deleted)) => OpResponse::Delete(DeleteResponse {
            revision: at(deleted.header),
            deleted: count(deleted.deleted)?,
            prev: key_values(deleted.prev_kvs, namespace)?,
        }),
        other => return Err(malformed("an operation was answered by", &other)),
    })
}

fn key_values(kvs: Vec<PbKeyValue>, namespace: &Namespace) -> Result<Vec<KeyValue>, StoreError> {
    kvs.into_iter().map(|kv| key_value(kv, namespace)).collect()
}

fn key_value(kv: PbKeyValue, namespace: &Namespace) -> Result<KeyValue, StoreError> {
    let key = namespace.strip(kv.key);
    Ok(KeyValue {
        key: key.ok_or_else(|| malformed("a key is", &"outside of the namespace"))?,
        value: Bytes::from(kv.value),
        create_revision: counted(kv.create_revision)?,
        mod_revision: counted(kv.mod_revision)?,
        version: kv.version,
        lease: LeaseId(kv.lease),
    })
}

fn count(count: i64) -> Result<usize, StoreError> {
    usize::try_from(count).map_err(|_| malformed("a count is", &count))
}

fn malformed(what: &str, value: &impl std::fmt::Debug) -> StoreError {
    let reason = format!("{what} {value:?}");
    StoreError::Unexpected { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_etcd_may_answer_is_an_error() {
        let namespace = Namespace::new("ns/".into());
        let kv = PbKeyValue {
            key: b"elsewhere".to_vec(),
            ..PbKeyValue::default()
        };
        let events = [
            PbEvent::default(),
            PbEvent {
                r#type: 7,
                kv: Some(kv.clone()),
                prev_kv: None,
            },
            PbEvent {
                kv: Some(kv),
                ..PbEvent::default()
            },
        ];
        for bad in events {
            let answer = event(bad, &namespace);
            assert!(
                matches!(answer, Err(StoreError::Unexpected { .. })),
                "{answer:?}"
            );
        }
        assert!(op(None, 1, &namespace).is_err());
        assert!(range(PbRangeResponse::default(), &namespace).is_err());
        for nonsense in [-1, 9_000_000_001, i64::MAX] {
            assert!(seconds(nonsense).is_err(), "{nonsense}");
        }
        for nonsense in [i64::MIN, -1, i64::MAX] {
            assert!(counted(nonsense).is_err(), "{nonsense}");
        }
    }
}
