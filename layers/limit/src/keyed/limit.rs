//! One rate, and a limit of its own for every key.

use crate::{
    Key, Rate,
    error::Refusal,
    key::MAX_KEY,
    shared::{Origin, Told, affordable},
    table::{Found, Table},
};
use std::{sync::OnceLock, time::Duration};
use ziggurat_core::{InvalidSetting, Live};

/// The limits of all keys.
#[derive(Debug)]
pub(crate) struct KeyedLimit {
    rate: Live<Rate>,
    keys: usize,
    /// Nobody needs it before the first call.
    table: OnceLock<Table>,
    pub(crate) origin: Origin,
    pub(crate) observer: Told,
}

const MOST: usize = 1 << 26;

// === impl KeyedLimit ===

impl KeyedLimit {
    pub(crate) const KEYS: usize = 65_536;

    pub(crate) fn new(rate: Live<Rate>, keys: usize, observer: Told) -> Self {
        Self {
            rate,
            keys,
            table: OnceLock::new(),
            origin: Origin::default(),
            observer,
        }
    }

    pub(crate) fn with_keys(&self, keys: usize) -> Result<Self, InvalidSetting> {
        check(keys)?;
        Ok(Self::new(self.rate.clone(), keys, self.observer.clone()))
    }

    pub(crate) fn with_observer(&self, observer: Told) -> Self {
        Self::new(self.rate.clone(), self.keys, observer)
    }

    pub(crate) fn isolated(&self) -> Self {
        self.with_observer(self.observer.clone())
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate.get()
    }

    /// Takes what a call of this key costs.
    pub(crate) fn take(&self, key: Option<&Key<'_>>, cost: u32) -> Result<(), Refusal> {
        self.try_take(key, cost)
            .inspect_err(|refusal| self.observer.hear(refusal))
    }

    /// Takes what a call of this hash costs, at this rate and time; says where.
    #[inline]
    pub(crate) fn take_hash(
        &self,
        hash: u64,
        cost: u32,
        at: (Rate, u64),
        origin: &Origin,
    ) -> Result<Found, Refusal> {
        let present = || (self.rate(), origin.present());
        let (found, taken) = self.table().take(hash, cost, at, present);
        if found == Found::Overflow {
            self.observer.tell(|observer| observer.overflowed());
        }
        match taken {
            Ok(()) => Ok(found),
            Err(nanos) => Err(Refusal::Limited(Duration::from_nanos(nanos))),
        }
    }

    /// Gives back what [`take_hash`](Self::take_hash) took.
    pub(crate) fn give_back(
        &self,
        hash: u64,
        cost: u32,
        (rate, since): (Rate, u64),
        found: Found,
        origin: &Origin,
    ) {
        let present = || (self.rate(), origin.present());
        let taken = (rate, cost, since);
        self.table().give_back(hash, found, taken, present);
    }

    /// How long a call of this hash has to wait.
    pub(crate) fn wait(&self, hash: u64, cost: u32, (rate, now): (Rate, u64)) -> Duration {
        Duration::from_nanos(self.table().wait(hash, cost, rate, now))
    }

    #[inline]
    pub(crate) fn hash(&self, key: Option<&Key<'_>>) -> Result<u64, Refusal> {
        if let Some(len) = key.map(Key::len).filter(|len| *len > MAX_KEY) {
            return Err(Refusal::KeyTooLong(len));
        }
        Ok(self.table().hash(key))
    }

    pub(crate) fn in_use(&self) -> usize {
        let now = self.origin.nanos();
        self.table.get().map_or(0, |table| table.in_use(now))
    }

    fn try_take(&self, key: Option<&Key<'_>>, cost: u32) -> Result<(), Refusal> {
        let rate = self.rate();
        affordable(rate, cost)?;
        let hash = self.hash(key)?;
        let at = (rate, self.origin.nanos());
        self.take_hash(hash, cost, at, &self.origin).map(drop)
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(self.keys))
    }
}

fn check(keys: usize) -> Result<(), InvalidSetting> {
    if keys == 0 || keys > MOST {
        let rule = "must be from 1 to 67,108,864";
        return Err(InvalidSetting::new("keyed limit", "keys", keys, rule));
    }
    Ok(())
}
