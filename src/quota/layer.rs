//! The layer: the limit, and what it finds in a request.

use super::{
    handle::RedisQuota,
    limit::{Limit, Source},
    rules::RuleSet,
    service::RedisLimit,
};
use std::{fmt, sync::Arc};
use tower::Layer;
use ziggurat_core::{Grpc, InvalidSetting, Live};
use ziggurat_limit::{Each, Rate};

/// Limits the rate of calls, for every key by itself, in all processes that use the same rule on the same
/// Redis together.
#[derive(Clone)]
pub struct RedisLimitLayer<K, C = Each, W = Grpc> {
    limit: Arc<Limit>,
    key: K,
    cost: C,
    carry: W,
}

/// The longest name of a rule, in bytes.
const MAX_RULE: usize = 128;

// === impl RedisLimitLayer ===

impl<K> RedisLimitLayer<K> {
    /// Admits calls at this rate, for every key: under the name `rule`, which all who share it use.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 128 bytes, or holds a colon or a control character.
    pub fn new(
        quota: &RedisQuota,
        rule: &str,
        rate: impl Into<Live<Rate>>,
        key: K,
    ) -> Result<Self, InvalidSetting> {
        Self::from(quota, rule, Source::Rate(rate.into()), key)
    }

    /// Admits calls at the rate that the rule of this name says. If nobody knows it,
    /// [`OnUnknown`](super::OnUnknown) says what becomes of them.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn by_rule(
        quota: &RedisQuota,
        rules: &RuleSet,
        rule: &str,
        key: K,
    ) -> Result<Self, InvalidSetting> {
        Self::from(quota, rule, Source::Rules(rules.clone()), key)
    }

    fn from(
        quota: &RedisQuota,
        rule: &str,
        source: Source,
        key: K,
    ) -> Result<Self, InvalidSetting> {
        let is_bad = |c: char| c == ':' || c.is_control();
        if rule.is_empty() || rule.len() > MAX_RULE || rule.contains(is_bad) {
            let text = "must have from 1 to 128 bytes, no colon and no control character";
            let shown: String = rule.chars().take(MAX_RULE).collect();
            return Err(InvalidSetting::new("redis limit", "rule", shown, text));
        }
        Ok(Self {
            limit: Limit::new(quota.clone(), rule, source),
            key,
            cost: Each,
            carry: Grpc,
        })
    }
}

impl<K, C, W> RedisLimitLayer<K, C, W> {
    /// Takes of the rate what `cost` says of a request, rather than one.
    #[must_use]
    pub fn cost_with<D>(self, cost: D) -> RedisLimitLayer<K, D, W> {
        RedisLimitLayer {
            limit: self.limit,
            key: self.key,
            cost,
            carry: self.carry,
        }
    }

    /// Finds the deadline of a request by `carry`: `ByResult` for requests that have none.
    #[must_use]
    pub fn carry_with<V>(self, carry: V) -> RedisLimitLayer<K, C, V> {
        RedisLimitLayer {
            limit: self.limit,
            key: self.key,
            cost: self.cost,
            carry,
        }
    }

    /// The same limit, as another process has it: what was taken in advance is not shared.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        K: Clone,
        C: Clone,
        W: Clone,
    {
        Self {
            limit: self.limit.isolated(),
            key: self.key.clone(),
            cost: self.cost.clone(),
            carry: self.carry.clone(),
        }
    }

    /// How many keys this process knows.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.limit.keys()
    }
}

impl<S, K: Clone, C: Clone, W: Clone> Layer<S> for RedisLimitLayer<K, C, W> {
    type Service = RedisLimit<S, K, C, W>;

    fn layer(&self, inner: S) -> Self::Service {
        RedisLimit::new(
            inner,
            Arc::clone(&self.limit),
            self.key.clone(),
            self.cost.clone(),
            self.carry.clone(),
        )
    }
}

impl<K, C, W> fmt::Debug for RedisLimitLayer<K, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimitLayer")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
