//! Finding a free number.

use super::{InstanceId, InstanceIds, layout};
use crate::coord::{
    ask::{Patience, limited},
    hold::Hold,
    session::Session,
    store::{
        Compare, EventKind, KeyValue, Keys, LeaseId, OpResponse, Put, Range, RangeResponse,
        StoreError, Txn, Watch,
    },
};
use futures_util::StreamExt;
use std::{collections::HashSet, sync::Arc};

/// One who looks for a number.
pub(super) struct Search<'a> {
    ids: &'a InstanceIds,
    prefix: String,
    /// Kept while it waits, so that what is free is had in one round trip more, and what was taken
    /// without an answer is known again.
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
                Err(StoreError::LeaseNotFound { .. }) => self.session = None,
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
        let mut found = limited(self.ids.store.range(self.all())).await?;
        loop {
            if let Some((number, created)) = self.own(&found.kvs) {
                return self.hold(number, created, found.revision + 1).map(Ok);
            }
            let Some(number) = self.choose(&found.kvs) else {
                return Ok(Err(Full(found.revision)));
            };
            let lease = self.lease().await?;
            // If this fails it may have been done all the same: the lease is kept, so that the key
            // is seen to be ours the next time, or goes with it if there is none.
            match self.take(number, lease).await? {
                Ok(revision) => return self.hold(number, revision, revision + 1).map(Ok),
                Err(taken) => found = taken,
            }
        }
    }

    /// The lease to take a number with: the one from before, if it is still good.
    async fn lease(&mut self) -> Result<LeaseId, StoreError> {
        if let Some(session) = self.session.as_ref().filter(|it| it.is_held()) {
            return Ok(session.lease());
        }
        let (store, ttl) = (Arc::clone(&self.ids.store), self.ids.ttl);
        let session = Session::open_with(store, ttl, &self.ids.dice).await?;
        Ok(self.session.insert(session).lease())
    }

    /// Takes this number and answers the revision that did, or else what is taken.
    async fn take(
        &self,
        number: u16,
        lease: LeaseId,
    ) -> Result<Result<i64, RangeResponse>, StoreError> {
        let key = self.key(number);
        let value = self.ids.layout.value(number);
        let txn = Txn::new()
            .when([Compare::absent(key.clone())])
            .then([Put::new(key, value).lease(lease)])
            .otherwise([self.all()]);
        let mut done = limited(self.ids.store.txn(txn)).await?;
        match done.responses.pop() {
            Some(OpResponse::Put(put)) => Ok(Ok(put.revision)),
            Some(OpResponse::Range(taken)) => Ok(Err(taken)),
            other => Err(StoreError::unexpected("a put or a range", &other)),
        }
    }

    /// `created` made the key of this number, which was there right before `from`.
    fn hold(&mut self, number: u16, created: i64, from: i64) -> Result<InstanceId, StoreError> {
        let session = self.session.take().filter(Session::is_held);
        let Some(session) = session else {
            return Err(StoreError::unavailable("the number came too late"));
        };
        let key = self.key(number);
        let hold = Hold::new(session, key, created, from, &self.ids.dice);
        Ok(InstanceId::new(hold, number))
    }

    /// The number that was taken without our hearing of it, and the revision that did.
    fn own(&self, kvs: &[KeyValue]) -> Option<(u16, i64)> {
        let lease = self.session.as_ref()?.lease();
        let own = kvs.iter().find(|kv| kv.lease == lease)?;
        let number = layout::number(&self.prefix, &own.key)?;
        Some((number, own.create_revision))
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
