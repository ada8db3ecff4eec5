//! Finding a free number.

use super::{InstanceId, InstanceIds, layout};
use crate::coord::{
    ask::{Patience, limited},
    hold::Hold,
    session::Session,
    store::{
        Compare, EventKind, KeyValue, Keys, OpResponse, Put, Range, RangeResponse, StoreError, Txn,
        Watch,
    },
};
use futures_util::StreamExt;
use std::{collections::HashSet, sync::Arc};

/// One who looks for a number.
pub(super) struct Search<'a> {
    ids: &'a InstanceIds,
    prefix: String,
    /// Kept while it waits, so that what is free is had in one round trip more.
    session: Option<Session>,
}

/// All numbers are taken, at this revision.
pub(super) struct Full(i64);

// === impl Search ===

impl<'a> Search<'a> {
    pub(super) fn new(ids: &'a InstanceIds) -> Self {
        Self {
            ids,
            prefix: ids.prefix(),
            session: None,
        }
    }

    /// Looks until it has one.
    pub(super) async fn wait(mut self) -> Result<InstanceId, StoreError> {
        let mut patience = Patience::new(&self.ids.dice);
        loop {
            match self.once().await {
                Ok(Ok(id)) => return Ok(id),
                Ok(Err(Full(revision))) => {
                    if self.freed(revision + 1).await {
                        patience.reset();
                        continue;
                    }
                }
                // What the lease was good for is looked for anew with another one.
                Err(StoreError::LeaseNotFound { .. }) => {}
                Err(error) if error.is_transient() => {
                    if patience.is_fresh() {
                        let prefix = &*self.prefix;
                        tracing::warn!(prefix, %error, "no instance id yet, trying on");
                    }
                }
                Err(error) => return Err(error),
            }
            patience.wait().await;
        }
    }

    /// Takes one of those that are free now.
    pub(super) async fn once(&mut self) -> Result<Result<InstanceId, Full>, StoreError> {
        let store = &self.ids.store;
        let mut found = limited(store.range(self.all())).await?;
        loop {
            let Some(number) = self.choose(&found.kvs) else {
                return Ok(Err(Full(found.revision)));
            };
            let kept = self.session.take().filter(Session::is_held);
            let session = match kept {
                Some(session) => session,
                None => {
                    let (store, ttl) = (Arc::clone(store), self.ids.ttl);
                    Session::open_with(store, ttl, &self.ids.dice).await?
                }
            };
            // If this fails it may have been done all the same: the session goes, and the key with
            // it.
            match self.take(number, &session).await? {
                Ok(revision) => return self.hold(number, session, revision).map(Ok),
                Err(taken) => found = taken,
            }
            self.session = Some(session);
        }
    }

    /// Takes this number and answers the revision that did, or else what is taken.
    async fn take(
        &self,
        number: u16,
        session: &Session,
    ) -> Result<Result<i64, RangeResponse>, StoreError> {
        let key = self.key(number);
        let value = self.ids.layout.value(number);
        let txn = Txn::new()
            .when([Compare::absent(key.clone())])
            .then([Put::new(key, value).lease(session.lease())])
            .otherwise([self.all()]);
        let mut done = limited(self.ids.store.txn(txn)).await?;
        match done.responses.pop() {
            Some(OpResponse::Put(put)) => Ok(Ok(put.revision)),
            Some(OpResponse::Range(taken)) => Ok(Err(taken)),
            other => Err(StoreError::unexpected("a put or a range", &other)),
        }
    }

    fn hold(&self, number: u16, session: Session, revision: i64) -> Result<InstanceId, StoreError> {
        let key = self.key(number);
        if !session.is_held() {
            let lease = session.lease();
            return Err(StoreError::LeaseNotFound { lease });
        }
        let dice = &self.ids.dice;
        let hold = Hold::new(session, key, revision, revision + 1, dice);
        Ok(InstanceId::new(hold, number))
    }

    /// Any number that is not taken.
    fn choose(&self, kvs: &[KeyValue]) -> Option<u16> {
        let numbers = kvs
            .iter()
            .filter_map(|kv| layout::number(&self.prefix, &kv.key));
        let taken: HashSet<u16> = numbers.collect();
        let range = self.ids.range.clone();
        let free: Vec<u16> = range.filter(|number| !taken.contains(number)).collect();
        free.get(self.ids.dice.below(free.len())).copied()
    }

    /// Waits until a number is given back; false if there is no telling any more.
    async fn freed(&self, from: i64) -> bool {
        let keys = Keys::prefix(self.prefix.clone());
        let mut batches = self.ids.store.watch(Watch::new(keys).from(from));
        while let Some(Ok(batch)) = batches.next().await {
            let mut gone = batch
                .events
                .iter()
                .filter(|event| event.kind == EventKind::Delete)
                .filter_map(|event| layout::number(&self.prefix, &event.kv.key));
            if gone.any(|number| self.ids.range.contains(&number)) {
                return true;
            }
        }
        false
    }

    fn all(&self) -> Range {
        Range::prefix(self.prefix.clone()).keys_only()
    }

    fn key(&self, number: u16) -> String {
        format!("{}{number}", self.prefix)
    }
}
