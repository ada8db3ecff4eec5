//! One of several limits that a call must pass.

use crate::{
    KeyExtractor, Rate,
    error::Refusal,
    keyed::KeyedLimit,
    shared::{Origin, Told, affordable},
    striped::Striped,
    table::Found,
};
use std::{sync::Arc, time::Duration};
use ziggurat_core::{InvalidSetting, Live};

/// The limit for all, which is the outermost.
pub(super) struct Total {
    rate: Live<Rate>,
    limit: Striped,
}

/// A limit for every key.
pub(super) struct Keyed<K> {
    key: K,
    limit: KeyedLimit,
}

/// A limit for every key, whatever they are.
pub(super) trait Level<Req>: Send + Sync + 'static {
    /// Which of its limits a request is under, and its rate now. This runs code of the user's.
    fn find(&self, request: &Req) -> Result<Under, Refusal>;

    fn take(&self, under: Under, ask: Ask<'_>) -> Result<Found, Refusal>;

    /// Gives back what [`take`](Self::take) took.
    fn give_back(&self, under: Under, found: Found, ask: Ask<'_>);

    /// What [`take`](Self::take) would say.
    fn look(&self, under: Under, ask: Ask<'_>) -> Result<(), Refusal>;

    fn fresh(&self, observer: &Told) -> Arc<dyn Level<Req>>;
}

/// Under which limit of a level a call is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Under {
    pub(super) rate: Rate,
    pub(super) hash: u64,
}

/// What one call asks of all levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) cost: u32,
    pub(super) now: u64,
    pub(super) origin: &'a Origin,
}

// === impl Total ===

impl Total {
    pub(super) fn new(rate: Live<Rate>) -> Self {
        Self {
            rate,
            limit: Striped::new(),
        }
    }

    pub(super) fn fresh(&self) -> Self {
        Self::new(self.rate.clone())
    }

    #[inline]
    pub(super) fn take(&self, ask: Ask<'_>) -> Result<(), Refusal> {
        let rate = self.rate.get();
        affordable(rate, ask.cost)?;
        let present = || (self.rate.get(), ask.origin.present());
        let taken = self.limit.take(rate, ask.cost, ask.now, present);
        taken.map_err(|nanos| Refusal::Limited(Duration::from_nanos(nanos)))
    }

    /// What [`take`](Self::take) would say.
    #[inline]
    pub(super) fn look(&self, ask: Ask<'_>) -> Result<(), Refusal> {
        let rate = self.rate.get();
        affordable(rate, ask.cost)?;
        // Who is admitted by what it has in hand looks at nobody else's.
        let wait = self.limit.look(rate, ask.cost, ask.now);
        limited(Duration::from_nanos(wait))
    }
}

// === impl Keyed ===

impl<K> Keyed<K> {
    pub(super) fn new(key: K, rate: Live<Rate>) -> Self {
        let limit = KeyedLimit::new(rate, KeyedLimit::KEYS, Told::default());
        Self { key, limit }
    }

    pub(super) fn keys(self, keys: usize) -> Result<Self, InvalidSetting> {
        let limit = self.limit.with_keys(keys)?;
        Ok(Self { limit, ..self })
    }
}

impl<K, Req> Level<Req> for Keyed<K>
where
    K: KeyExtractor<Req> + Clone + Send + Sync + 'static,
    Req: 'static,
{
    fn find(&self, request: &Req) -> Result<Under, Refusal> {
        let key = self.key.key(request);
        let hash = self.limit.hash(key.as_ref())?;
        let rate = self.limit.rate();
        Ok(Under { rate, hash })
    }

    fn take(&self, Under { rate, hash }: Under, ask: Ask<'_>) -> Result<Found, Refusal> {
        affordable(rate, ask.cost)?;
        let at = (rate, ask.now);
        self.limit.take_hash(hash, ask.cost, at, ask.origin)
    }

    fn give_back(&self, Under { rate, hash }: Under, found: Found, ask: Ask<'_>) {
        let at = (rate, ask.now);
        self.limit.give_back(hash, ask.cost, at, found, ask.origin);
    }

    fn look(&self, Under { rate, hash }: Under, ask: Ask<'_>) -> Result<(), Refusal> {
        affordable(rate, ask.cost)?;
        limited(self.limit.wait(hash, ask.cost, (rate, ask.now)))
    }

    fn fresh(&self, observer: &Told) -> Arc<dyn Level<Req>> {
        Arc::new(Self {
            key: self.key.clone(),
            limit: self.limit.with_observer(observer.clone()),
        })
    }
}

fn limited(wait: Duration) -> Result<(), Refusal> {
    match wait {
        Duration::ZERO => Ok(()),
        wait => Err(Refusal::Limited(wait)),
    }
}
