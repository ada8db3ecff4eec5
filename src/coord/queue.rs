//! Standing in line for a key prefix, as etcd's own lock and election do.
//!
//! Who wants to be first makes the key `<prefix><lease in hex>`. First is whose key was made first;
//! everybody else watches the key right before its own, so that one that goes wakes one.
//!
//! ```text
//!   enter: put own key, read all --> first? --> held
//!     ^                               |  ^
//!     |  own key or lease gone        |  | the one before is gone: read all again
//!     +-------------------------------+--+
//! ```

use super::{
    ask::{Patience, limited},
    hold::Hold,
    session::{Session, check_ttl},
    store::{
        Compare, EventKind, KeyValue, Keys, Op, OpResponse, Put, Range, RangeResponse, Store,
        StoreError, StoreFuture, Txn, Watch,
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use ziggurat_core::Dice;

/// A line that one can stand in.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) store: Arc<dyn Store>,
    /// Ends with a slash.
    pub(super) prefix: String,
    pub(super) dice: Dice,
}

/// Where an own key stands in the line.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// At its head, by a key that this revision made.
    First(i64),
    /// Right after this key.
    Behind(Bytes),
    /// Nowhere: the key is gone.
    Nowhere,
}

/// What one try to get to the head of the line came to.
enum Turn {
    Held(Hold),
    /// There is somebody before; the place is kept by this session.
    Behind(Session, Bytes, i64),
    Lost,
}

// === impl Queue ===

impl Queue {
    /// Waits until it is first. Through an outage it keeps trying; whenever it loses its place, it
    /// takes a new one.
    pub(super) async fn wait(&self, ttl: Duration, value: Bytes) -> Result<Hold, StoreError> {
        check_ttl(ttl)?;
        let mut patience = Patience::new(&self.dice);
        loop {
            match self.stand(ttl, &value, &mut patience).await {
                Ok(Some(hold)) => return Ok(hold),
                Ok(None) => tracing::info!(prefix = self.prefix, "place in line lost, trying on"),
                Err(error) if error.is_transient() => {
                    if patience.is_fresh() {
                        tracing::warn!(prefix = self.prefix, %error, "not in line, trying on");
                    }
                }
                Err(error) => return Err(error),
            }
            patience.wait().await;
        }
    }

    /// Is first at once, or not at all; then nothing is left behind.
    pub(super) async fn try_now(
        &self,
        ttl: Duration,
        value: Bytes,
    ) -> Result<Option<Hold>, StoreError> {
        check_ttl(ttl)?;
        // Whoever finds it taken, which is the usual case, needs no lease.
        let found = limited(self.store.range(self.all())).await?;
        if contenders(&self.prefix, &found.kvs).next().is_some() {
            return Ok(None);
        }
        let session = self.open(ttl).await?;
        let lease = session.lease();
        let found = limited(self.enter(&session, &value)).await?;
        match self.turn(session, &found) {
            Turn::Held(hold) => Ok(Some(hold)),
            Turn::Lost => Err(StoreError::LeaseNotFound { lease }),
            Turn::Behind(session, ..) => {
                if let Err(error) = session.close().await {
                    tracing::debug!(%error, "place in line not given back, it will run out");
                }
                Ok(None)
            }
        }
    }

    /// Who is first, with its value.
    pub(super) fn first<'a>(
        &self,
        kvs: impl IntoIterator<Item = &'a KeyValue>,
    ) -> Option<KeyValue> {
        contenders(&self.prefix, kvs).min_by_key(place).cloned()
    }

    /// Takes a place and stands there until it is first; nothing if the place is lost.
    async fn stand(
        &self,
        ttl: Duration,
        value: &Bytes,
        patience: &mut Patience,
    ) -> Result<Option<Hold>, StoreError> {
        let session = self.open(ttl).await?;
        let entered = self
            .insist(&session, || self.enter(&session, value))
            .await?;
        let Some(mut found) = entered else {
            return Ok(None);
        };
        patience.reset();
        let mut turn = self.turn(session, &found);
        loop {
            let (session, before, from) = match turn {
                Turn::Held(hold) => return Ok(Some(hold)),
                Turn::Lost => return Ok(None),
                Turn::Behind(session, before, from) => (session, before, from),
            };
            tokio::select! {
                biased;
                _ = session.lost() => return Ok(None),
                gone = self.gone(before, from) => match gone {
                    true => patience.reset(),
                    false => patience.wait().await,
                },
            }
            // The own key is read again too: it may be gone without anybody having said so.
            let ask = || self.store.range(self.all());
            found = match self.insist(&session, ask).await? {
                Some(found) => found,
                None => return Ok(None),
            };
            turn = self.turn(session, &found);
        }
    }

    async fn open(&self, ttl: Duration) -> Result<Session, StoreError> {
        Session::open_with(Arc::clone(&self.store), ttl, &self.dice).await
    }

    /// Makes the own key, if it is not there yet, and reads all: it may be asked twice.
    fn enter(&self, session: &Session, value: &Bytes) -> StoreFuture<'_, RangeResponse> {
        let own = self.own(session);
        let put = Put::new(own.clone(), value.clone()).lease(session.lease());
        let txn = Txn::new()
            .when([Compare::absent(own)])
            .then([Op::from(put), self.all().into()])
            .otherwise([self.all()]);
        let answer = self.store.txn(txn);
        Box::pin(async move {
            match answer.await?.responses.pop() {
                Some(OpResponse::Range(found)) => Ok(found),
                other => Err(StoreError::unexpected("a range", &other)),
            }
        })
    }

    /// Asks until there is an answer; nothing if the session is lost before that.
    async fn insist<'a>(
        &self,
        session: &Session,
        ask: impl Fn() -> StoreFuture<'a, RangeResponse>,
    ) -> Result<Option<RangeResponse>, StoreError> {
        let mut patience = Patience::new(&self.dice);
        let asking = async {
            loop {
                match limited(ask()).await {
                    Ok(found) => return Ok(Some(found)),
                    Err(StoreError::LeaseNotFound { .. }) => return Ok(None),
                    Err(error) if error.is_transient() => patience.wait().await,
                    Err(error) => return Err(error),
                }
            }
        };
        tokio::select! {
            biased;
            _ = session.lost() => Ok(None),
            found = asking => found,
        }
    }

    fn turn(&self, session: Session, found: &RangeResponse) -> Turn {
        let own = self.own(&session);
        let from = found.revision + 1;
        match standing(&self.prefix, &found.kvs, own.as_bytes()) {
            Standing::Behind(before) => Turn::Behind(session, before, from),
            Standing::First(token) if session.is_held() => {
                let hold = Hold::new(session, own, token, from, &self.dice);
                Turn::Held(hold)
            }
            Standing::First(_) | Standing::Nowhere => Turn::Lost,
        }
    }

    /// Waits until this key is deleted; false if there is no telling any more.
    async fn gone(&self, key: Bytes, from: i64) -> bool {
        let mut batches = self.store.watch(Watch::new(Keys::one(key)).from(from));
        while let Some(Ok(batch)) = batches.next().await {
            let mut events = batch.events.iter();
            if events.any(|event| event.kind == EventKind::Delete) {
                return true;
            }
        }
        false
    }

    fn all(&self) -> Range {
        Range::prefix(self.prefix.clone()).keys_only()
    }

    fn own(&self, session: &Session) -> String {
        format!("{}{:x}", self.prefix, session.lease())
    }
}

/// Those who stand in line for `prefix`, in no order.
///
/// Of a line whose name begins with this one's, such as `a/b` for `a`, the keys are found under this
/// prefix as well, but have more than one part after it.
fn contenders<'a>(
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
fn place<'a>(kv: &&'a KeyValue) -> (i64, &'a Bytes) {
    (kv.create_revision, &kv.key)
}

fn standing(prefix: &str, kvs: &[KeyValue], own: &[u8]) -> Standing {
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
