//! One limit on Redis: what is decided here, and what is asked there.

use super::{
    driver::Order,
    handle::{RedisQuota, Settings},
    outage::{OnOutage, Unchecked},
    rules::{RuleSet, UnknownRule},
    script::{Grant, Trouble, Want},
    stock::{Step, Stock, nanos},
    table::{Slot, Table},
    wait::Wait,
};
use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};
use tokio::sync::watch;
use ziggurat_core::{BoxError, Deadline, Live, clock, clock::Instant};
use ziggurat_limit::{Key, KeyTooLong, Limited, MAX_KEY, Rate, TooCostly};

/// The limit of one rule, for all keys.
#[derive(Debug)]
pub(crate) struct Limit {
    quota: RedisQuota,
    name: Arc<str>,
    source: Source,
    table: OnceLock<Table>,
    /// The moment of the first call: nobody needs a clock before.
    origin: OnceLock<Instant>,
    /// For the orders of this limit, which do not keep it.
    this: Weak<Self>,
}

/// Where the rate is from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Rate(Live<Rate>),
    Rules(RuleSet),
}

/// What was asked, and what came of it once something did.
pub(super) type Flight = watch::Receiver<Option<Result<Grant, Trouble>>>;

/// What becomes of a call.
pub(crate) enum Taken {
    Now(Result<(), BoxError>),
    Wait(Wait),
}

/// A call that is neither admitted nor refused yet.
pub(super) struct Asking {
    pub(super) rate: Rate,
    pub(super) flight: Flight,
    /// Whether the answer is for this call alone.
    pub(super) alone: bool,
}

// === impl Limit ===

impl Limit {
    pub(super) fn new(quota: RedisQuota, name: &str, source: Source) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            quota,
            name: name.into(),
            source,
            table: OnceLock::new(),
            origin: OnceLock::new(),
            this: Weak::clone(this),
        })
    }

    pub(super) fn isolated(&self) -> Arc<Self> {
        Self::new(self.quota.clone(), &self.name, self.source.clone())
    }

    /// How many keys have a place.
    pub(super) fn keys(&self) -> usize {
        self.table.get().map_or(0, Table::len)
    }

    /// Takes what a call costs, or says what to wait for.
    pub(super) fn take(
        &self,
        key: Option<&Key<'_>>,
        cost: u32,
        deadline: impl FnOnce() -> Option<Deadline>,
    ) -> Taken {
        if let Some(len) = key.map(length).filter(|len| *len > MAX_KEY) {
            self.settings().observer.refused();
            return Taken::Now(Err(KeyTooLong::new(len).into()));
        }
        let hash = self.table().hash(key);
        let name = || self.name(key);
        match self.step(hash, cost, false, name) {
            Ok(answer) => Taken::Now(answer),
            Err(asking) => Taken::Wait(Wait {
                limit: self.this.upgrade().expect("whoever calls holds it"),
                hash,
                name: name(),
                cost,
                until: self.until(deadline()),
                asking,
            }),
        }
    }

    /// Hears what Redis says of a key.
    pub(super) fn settle(&self, hash: u64, want: Want, answer: Result<Grant, Trouble>) {
        let now = self.nanos();
        let mut shard = self.table().shard(hash);
        if let Some(slot) = shard.get(hash) {
            slot.flight = None;
            if let Ok(grant) = answer {
                slot.stock.settle(want, grant, self.settings().lease, now);
            }
        }
    }

    /// What becomes of a call now.
    pub(super) fn step(
        &self,
        hash: u64,
        cost: u32,
        waited: bool,
        name: impl Fn() -> Arc<str>,
    ) -> Result<Result<(), BoxError>, Asking> {
        let rate = match self.rate(cost) {
            Ok(Some(rate)) => rate,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let now = self.nanos();
        let mut shard = self.table().shard(hash);
        let Some(slot) = shard.get_or_insert(hash, now, &name) else {
            drop(shard);
            self.settings().observer.overflowed();
            if self.quota.is_reachable() {
                return Err(self.ask_alone(name(), rate, cost));
            }
            return Ok(self.decide(hash, &name, rate, cost));
        };
        match slot.stock.take(cost, waited, now) {
            Step::Admit => Ok(Ok(())),
            Step::AdmitAndOrder => {
                if self.quota.is_reachable() && !is_open(slot.flight.as_ref()) {
                    slot.flight = Some(self.ask(hash, slot, rate, 1, now));
                }
                Ok(Ok(()))
            }
            Step::Refuse(wait) => {
                drop(shard);
                Ok(Err(self.limited(wait)))
            }
            Step::Short(_) if !self.quota.is_reachable() => {
                drop(shard);
                Ok(self.decide(hash, &name, rate, cost))
            }
            Step::Short(short) => {
                let flight = match slot.flight.take() {
                    Some(flight) if is_open(Some(&flight)) => {
                        slot.stock.wait(short);
                        flight
                    }
                    _ => self.ask(hash, slot, rate, short, now),
                };
                slot.flight = Some(flight.clone());
                let alone = false;
                Err(Asking {
                    rate,
                    flight,
                    alone,
                })
            }
        }
    }

    /// Orders at least `least` calls for a key.
    fn ask(&self, hash: u64, slot: &mut Slot, rate: Rate, least: u32, now: u64) -> Flight {
        let lease = self.settings().lease;
        let most = slot.stock.order(least, rate, lease, now);
        let want = Want { rate, most, least };
        self.order(Some(hash), Arc::clone(&slot.name), want)
    }

    /// Orders what one call of a key without a place costs.
    fn ask_alone(&self, name: Arc<str>, rate: Rate, cost: u32) -> Asking {
        let (most, least) = (cost, cost);
        let flight = self.order(None, name, Want { rate, most, least });
        let alone = true;
        Asking {
            rate,
            flight,
            alone,
        }
    }

    fn order(&self, hash: Option<u64>, name: Arc<str>, want: Want) -> Flight {
        let (done, flight) = watch::channel(None);
        self.quota.order(Order {
            limit: Weak::clone(&self.this),
            hash,
            name,
            want,
            done,
        });
        flight
    }

    /// Decides without Redis.
    pub(super) fn decide(
        &self,
        hash: u64,
        name: impl Fn() -> Arc<str>,
        rate: Rate,
        cost: u32,
    ) -> Result<(), BoxError> {
        let settings = self.settings();
        let answer = match &settings.on_outage {
            OnOutage::Open => Ok(()),
            OnOutage::Closed => Err(Unchecked::new().into()),
            OnOutage::Share(processes) => {
                let now = self.nanos();
                let mut shard = self.table().shard(hash);
                let share = |stock: &mut Stock| {
                    stock.share(rate, processes.get(), cost, now, || self.present())
                };
                let taken = match shard.get_or_insert(hash, now, &name) {
                    Some(slot) => share(&mut slot.stock),
                    None => share(&mut shard.overflow),
                };
                drop(shard);
                taken.map_err(|wait| self.limited(wait))
            }
        };
        settings.observer.decided_alone(answer.is_ok());
        answer
    }

    /// The rate, if there is any limit, of which a call of this cost can be one.
    fn rate(&self, cost: u32) -> Result<Option<Rate>, BoxError> {
        let observer = &self.settings().observer;
        let rate = match &self.source {
            Source::Rate(rate) => rate.get(),
            Source::Rules(rules) => match rules.rate(&self.name) {
                Some(rate) => rate,
                None if rules.admits_unknown() => {
                    observer.unknown_rule();
                    return Ok(None);
                }
                None => {
                    observer.refused();
                    return Err(UnknownRule::new(&self.name).into());
                }
            },
        };
        let burst = rate.at_once();
        if cost > burst {
            observer.refused();
            return Err(TooCostly::new(cost, burst).into());
        }
        Ok((cost > 0).then_some(rate))
    }

    pub(super) fn limited(&self, wait: Duration) -> BoxError {
        self.settings().observer.limited();
        Limited::new(wait).into()
    }

    fn settings(&self) -> &Settings {
        self.quota.settings()
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(self.settings().keys))
    }

    /// A key, as Redis knows it.
    fn name(&self, key: Option<&Key<'_>>) -> Arc<str> {
        let (prefix, rule) = (&self.settings().prefix, &self.name);
        match key {
            Some(key) => format!("{prefix}:{rule}:{key}").into(),
            None => format!("{prefix}:{rule}").into(),
        }
    }

    fn nanos(&self) -> u64 {
        self.nanos_until(clock::now())
    }

    /// As [`nanos`](Self::nanos), also where time is held: not before what this thread has seen of another.
    #[cold]
    fn present(&self) -> u64 {
        self.nanos_until(clock::present())
    }

    fn nanos_until(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(*self.origin.get_or_init(|| now));
        // What never was is at zero.
        nanos(since).saturating_add(1)
    }

    /// How long a call may wait for Redis.
    fn until(&self, deadline: Option<Deadline>) -> Instant {
        let bound = clock::now() + self.settings().timeout;
        deadline.map_or(bound, |deadline| deadline.instant().min(bound))
    }
}

/// Whether an answer is still to come.
pub(super) fn is_open(flight: Option<&Flight>) -> bool {
    flight.is_some_and(|flight| flight.has_changed().is_ok() && flight.borrow().is_none())
}

fn length(key: &Key<'_>) -> usize {
    match key {
        Key::Text(text) => text.len(),
        _ => 0,
    }
}
