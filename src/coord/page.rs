//! Reading many keys: a page at a time, all at one revision.

use super::{
    ask::limited,
    store::{KeyValue, Keys, Range, RangeResponse, Store, StoreError},
};
use bytes::{BufMut, Bytes, BytesMut};

/// So many keys a page: a store that has a million answers none of them for seconds, and no answer
/// outgrows what the way to the store lets through (4 MiB for gRPC, if nobody said otherwise).
const PAGE: usize = 1_000;
/// How often it is begun anew because the revision was compacted meanwhile.
const TRIES: u32 = 3;

/// All that `range` asks for, sorted by key, as it was at the revision that is answered.
///
/// # Errors
///
/// What the store answers; each page has the time of one question.
pub(super) async fn all(store: &dyn Store, range: Range) -> Result<RangeResponse, StoreError> {
    let mut tries = 1;
    loop {
        match pages(store, &range).await {
            Err(StoreError::Compacted { .. }) if tries < TRIES => tries += 1,
            Err(StoreError::Compacted { requested, .. }) => {
                let reason = format!("revision {requested} was compacted while it was read");
                return Err(StoreError::unavailable(reason));
            }
            answer => return answer,
        }
    }
}

async fn pages(store: &dyn Store, range: &Range) -> Result<RangeResponse, StoreError> {
    let generation = store.generation();
    let mut found = limited(store.range(range.clone().limit(PAGE))).await?;
    while found.more
        && let Some(last) = found.kvs.last()
    {
        let mut next = range.clone().at(found.revision).limit(PAGE);
        next.keys = after(&range.keys, last);
        let page = limited(store.range(next)).await?;
        if store.generation() != generation {
            let reason = "the store became another one while it was read";
            return Err(StoreError::unavailable(reason));
        }
        found.more = page.more && !page.kvs.is_empty();
        found.kvs.extend(page.kvs);
    }
    Ok(found)
}

/// Those of the keys that come after this one.
fn after(keys: &Keys, last: &KeyValue) -> Keys {
    let mut next = BytesMut::with_capacity(last.key.len() + 1);
    next.extend_from_slice(&last.key);
    next.put_u8(0);
    keys.rest(Bytes::from(next))
}
