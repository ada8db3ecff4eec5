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

mod standing;

use self::standing::{Standing, contenders, place, standing};
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
