//! The limits, outermost first, that one call must pass.

use crate::{
    KeyExtractor, Rate,
    error::Refusal,
    gcra::Gcra,
    keyed::KeyedLimit,
    shared::{Origin, Told, affordable},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use ziggurat_core::{InvalidSetting, Live};

/// One of several limits. Nobody takes from it but under the lock of [`Levels`].
pub(super) trait Level<Req>: Send + Sync + 'static {
    /// Its rate now, and which of its limits a request is under.
    fn find(&self, request: &Req) -> Result<(Rate, u64), Refusal>;

    /// Would it admit a call?
    fn peek(&self, found: (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal>;

    /// Admits a call that it would admit.
    fn take(&self, found: (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal>;

    fn fresh(&self, observer: &Told) -> Arc<dyn Level<Req>>;
}

pub(super) struct Levels<Req> {
    levels: Vec<Arc<dyn Level<Req>>>,
    origin: Origin,
    /// From the first look to the last take.
    turn: Mutex<()>,
    observer: Told,
}

/// One limit for all.
pub(super) struct Total {
    rate: Live<Rate>,
    gcra: Gcra,
}

/// One for every key.
pub(super) struct Keyed<K> {
    key: K,
    limit: KeyedLimit,
}

// === impl Levels ===

impl<Req: 'static> Levels<Req> {
    pub(super) fn new(levels: Vec<Arc<dyn Level<Req>>>, observer: Told) -> Self {
        Self {
            levels: levels.iter().map(|level| level.fresh(&observer)).collect(),
            origin: Origin::default(),
            turn: Mutex::new(()),
            observer,
        }
    }

    pub(super) fn and(&self, level: Arc<dyn Level<Req>>) -> Self {
        let mut levels = self.levels.clone();
        levels.push(level);
        Self::new(levels, self.observer.clone())
    }

    pub(super) fn with_observer(&self, observer: Told) -> Self {
        Self::new(self.levels.clone(), observer)
    }

    pub(super) fn isolated(&self) -> Self {
        self.with_observer(self.observer.clone())
    }

    /// Takes what a call costs of every limit, or of none.
    pub(super) fn take(&self, request: &Req, cost: u32) -> Result<(), Refusal> {
        // Nothing is behind the lock that a panic could leave half done.
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = walk(&self.levels, request, cost, self.origin.nanos());
        drop(turn);
        taken.inspect_err(|refusal| self.observer.hear(refusal))
    }
}

impl<Req> fmt::Debug for Levels<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels")
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}

/// Looks on the way in, and takes on the way out: what is remembered stands on the stack.
fn walk<Req: 'static>(
    levels: &[Arc<dyn Level<Req>>],
    request: &Req,
    cost: u32,
    now: u64,
) -> Result<(), Refusal> {
    let Some((level, rest)) = levels.split_first() else {
        return Ok(());
    };
    let found = level.find(request)?;
    let looked = level.peek(found, cost, now);
    let inner = match (looked, rest.is_empty()) {
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => walk(rest, request, cost, now),
        // Whoever is told when to come back is told when all of them would let it.
        (Err(refusal), _) => Err(longer(refusal, look(rest, request, cost, now))),
    };
    inner?;
    level.take(found, cost, now)
}

/// What the first of these levels refuses, or the one that takes longest.
fn look<Req: 'static>(
    levels: &[Arc<dyn Level<Req>>],
    request: &Req,
    cost: u32,
    now: u64,
) -> Option<Refusal> {
    levels.iter().fold(None, |worst, level| {
        let found = level.find(request);
        match (worst, found.and_then(|found| level.peek(found, cost, now))) {
            (worst, Ok(())) => worst,
            (None, Err(refusal)) => Some(refusal),
            (Some(worst), Err(refusal)) => Some(longer(worst, Some(refusal))),
        }
    })
}

/// What no waiting helps outranks what some waiting does.
fn longer(one: Refusal, other: Option<Refusal>) -> Refusal {
    match (one, other) {
        (Refusal::Limited(one), Some(Refusal::Limited(other))) => Refusal::Limited(one.max(other)),
        (Refusal::Limited(_), Some(other)) => other,
        (one, _) => one,
    }
}

// === impl Total ===

impl Total {
    pub(super) fn new(rate: Live<Rate>) -> Self {
        Self {
            rate,
            gcra: Gcra::new(),
        }
    }
}

impl<Req: 'static> Level<Req> for Total {
    fn find(&self, _: &Req) -> Result<(Rate, u64), Refusal> {
        Ok((self.rate.get(), 0))
    }

    fn peek(&self, (rate, _): (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal> {
        affordable(rate, cost)?;
        limited(self.gcra.wait(rate, cost.into(), now))
    }

    fn take(&self, (rate, _): (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal> {
        let taken = self.gcra.take(rate, cost, now, || (rate, now));
        limited(taken.err().unwrap_or(0))
    }

    fn fresh(&self, _: &Told) -> Arc<dyn Level<Req>> {
        Arc::new(Self::new(self.rate.clone()))
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
    fn find(&self, request: &Req) -> Result<(Rate, u64), Refusal> {
        let key = self.key.key(request);
        Ok((self.limit.rate(), self.limit.hash(key.as_ref())?))
    }

    fn peek(&self, (rate, hash): (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal> {
        self.limit.peek(hash, cost, rate, now)
    }

    fn take(&self, (rate, hash): (Rate, u64), cost: u32, now: u64) -> Result<(), Refusal> {
        self.limit.take_hash(hash, cost, || (rate, now))
    }

    fn fresh(&self, observer: &Told) -> Arc<dyn Level<Req>> {
        Arc::new(Self {
            key: self.key.clone(),
            limit: self.limit.with_observer(observer.clone()),
        })
    }
}

fn limited(nanos: u64) -> Result<(), Refusal> {
    match nanos {
        0 => Ok(()),
        nanos => Err(Refusal::Limited(Duration::from_nanos(nanos))),
    }
}
