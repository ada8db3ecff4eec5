//! What watches one endpoint: all calls to it, through all of its clones.

mod compared;

use crate::{
    counts::Counts,
    group::{Group, lock},
    policy::{Standing, Ticket, Verdict},
    seat::Seat,
    sweep::spawn,
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::{runtime::Handle, task::JoinSet};
use ziggurat_core::{
    EndpointId, Outcome, State,
    clock::{self, Instant},
};

/// The standing of one endpoint, kept for as long as anybody has it.
pub(crate) struct Judge {
    /// What calls read without the lock: the generation, and two bits. Written under the lock.
    word: AtomicU64,
    counts: Counts,
    /// Endpoints of this name that are in use: a new one, and one that is being drained.
    present: AtomicUsize,
    state: Mutex<Inner>,
    /// A lock of its own, the last to be taken: who counts endpoints looks at those of all.
    seats: Mutex<Vec<Weak<Seat>>>,
    id: EndpointId,
    group: Arc<Group>,
    /// Where timers run, whoever drops the last body of a call.
    runtime: Option<Handle>,
}

struct Inner {
    standing: Standing,
    /// Wakes the standing; a set of one, which ends its task when dropped.
    timer: JoinSet<()>,
}

const NOT_SERVING: u64 = 0b01;
const NOT_CLEAN: u64 = 0b10;
const BITS: u32 = 2;

// === impl Judge ===

impl Judge {
    pub(crate) fn new(id: EndpointId, group: Arc<Group>) -> Arc<Self> {
        Arc::new(Self {
            word: AtomicU64::new(0),
            counts: Counts::default(),
            present: AtomicUsize::new(0),
            state: Mutex::new(Inner {
                standing: Standing::new(),
                timer: JoinSet::new(),
            }),
            seats: Mutex::new(Vec::new()),
            id,
            group,
            runtime: Handle::try_current().ok(),
        })
    }

    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.word.load(Ordering::Relaxed) & NOT_SERVING == 0
    }

    /// May it be picked, and is it connected, or not asked to be yet?
    pub(crate) fn takes_calls(&self) -> bool {
        let seats = lock(&self.seats);
        let mut seats = seats.iter().filter_map(Weak::upgrade);
        self.is_serving() && seats.any(|seat| seat.is_there())
    }

    /// An endpoint of this name is in use, and hears of what it is good for.
    pub(crate) fn enter(&self, seat: &Arc<Seat>) {
        let inner = lock(&self.state);
        self.present.fetch_add(1, Ordering::Relaxed);
        let mut seats = lock(&self.seats);
        seats.retain(|seat| seat.strong_count() > 0);
        seats.push(Arc::downgrade(seat));
        drop(seats);
        seat.report(state(&inner.standing));
    }

    pub(crate) fn leave(&self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call begins. `None`: how it ends says nothing, as it should not be there.
    #[inline]
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Ticket> {
        // Relaxed: the word is all there is to know, and a ticket that is a moment old is ignored.
        let word = self.word.load(Ordering::Relaxed);
        if word & NOT_SERVING == 0 {
            return Some(Ticket::of(word >> BITS));
        }
        self.admit_unless_out()
    }

    #[inline(never)]
    fn admit_unless_out(self: &Arc<Self>) -> Option<Ticket> {
        let mut inner = lock(&self.state);
        if inner.standing.is_serving() {
            return Some(Ticket::of(inner.standing.generation()));
        }
        let probe = inner
            .standing
            .probe(clock::now(), &self.group.settings.get());
        if probe.is_some() {
            self.publish(&mut inner);
        }
        probe
    }

    /// The answer to a call has begun.
    pub(crate) fn respond(self: &Arc<Self>, ticket: Ticket) {
        if self.is_serving() {
            return;
        }
        let now = clock::now();
        let mut inner = lock(&self.state);
        let verdict = inner.standing.respond(ticket, now);
        self.carry_out(verdict, &mut inner, now);
    }

    /// A call has ended. Nearly every one says that all is well where all was well, and writes nothing
    /// unless somebody compares.
    #[inline]
    pub(crate) fn settle(self: &Arc<Self>, ticket: Ticket, outcome: Outcome) {
        let all_is_well = ticket.generation() << BITS;
        if outcome.is_success() && self.word.load(Ordering::Relaxed) == all_is_well {
            if self.group.sweep.is_counting() {
                self.counts.success();
            }
            return;
        }
        self.settle_other(ticket, outcome);
    }

    #[inline(never)]
    fn settle_other(self: &Arc<Self>, ticket: Ticket, outcome: Outcome) {
        let word = self.word.load(Ordering::Relaxed);
        let well = word & NOT_SERVING == 0;
        let is_late = ticket.generation() != word >> BITS;
        // A probe that was given up may be among those that are late, and do well in the end.
        if is_late && (well || !outcome.is_success()) {
            return;
        }
        if well {
            self.count(outcome);
        }
        let nothing_new = match outcome {
            outcome if outcome.is_failure() => false,
            outcome if outcome.is_success() => word & NOT_CLEAN == 0,
            _ => true,
        };
        if well && nothing_new {
            return;
        }
        let now = clock::now();
        let settings = self.group.settings.get();
        let mut inner = lock(&self.state);
        let verdict = inner.standing.record(ticket, outcome, now, &settings);
        self.carry_out(verdict, &mut inner, now);
    }

    fn wake(self: &Arc<Self>) {
        let now = clock::now();
        let mut inner = lock(&self.state);
        let verdict = inner.standing.wake(now);
        self.carry_out(verdict, &mut inner, now);
    }

    fn carry_out(self: &Arc<Self>, verdict: Verdict, inner: &mut Inner, now: Instant) {
        match verdict {
            Verdict::Stay => self.word.store(word(&inner.standing), Ordering::Relaxed),
            Verdict::Eject => self.eject(inner, now),
            Verdict::Recover => self.publish(inner),
            Verdict::Return => {
                self.publish(inner);
                tracing::info!(service = self.group.service(), endpoint = %self.id, "endpoint returns");
                self.group
                    .tell(|observer, service| observer.returned(service, &self.id));
            }
        }
    }

    fn eject(self: &Arc<Self>, inner: &mut Inner, now: Instant) {
        let settings = self.group.settings.get();
        let service = self.group.service();
        let luck = self.group.dice.fraction();
        let ejected = if inner.standing.is_serving() {
            // The word is written while the group is locked, so that two do not take one place.
            self.group.if_room(&settings, &self.id, || {
                let time = inner.standing.eject(now, luck, &settings);
                self.word.store(word(&inner.standing), Ordering::Relaxed);
                // What it goes for is not held against it once more when it is back.
                self.counts.take();
                time
            })
        } else {
            Some(inner.standing.eject(now, luck, &settings))
        };
        if ejected.is_none() {
            inner.standing.spare();
        }
        self.publish(inner);
        match ejected {
            Some(time) if inner.standing.is_out() => {
                tracing::warn!(service, endpoint = %self.id, ?time, "endpoint ejected");
                self.group
                    .tell(|observer, service| observer.ejected(service, &self.id, time));
            }
            _ => {
                tracing::warn!(service, endpoint = %self.id, "endpoint fails, and stays");
                self.group
                    .tell(|observer, service| observer.spared(service, &self.id));
            }
        }
    }

    /// Tells calls, balancers and the timer. Under the lock, or the last to tell would not be right.
    fn publish(self: &Arc<Self>, inner: &mut Inner) {
        inner.timer = JoinSet::new();
        if let Some(at) = inner.standing.wakes_at() {
            match self.timer(at) {
                Some(timer) => inner.timer = timer,
                // Its runtime is gone, and nothing would ever bring it back: it stays.
                None => inner.standing.spare(),
            }
        }
        self.word.store(word(&inner.standing), Ordering::Relaxed);
        let state = state(&inner.standing);
        // Copied: who hears of it may look at the seats, too.
        let seats: Vec<_> = lock(&self.seats).iter().filter_map(Weak::upgrade).collect();
        seats.iter().for_each(|seat| seat.report(state));
    }

    /// Wakes the standing at `at`, on the runtime where the endpoint was made or on this one.
    fn timer(self: &Arc<Self>, at: Instant) -> Option<JoinSet<()>> {
        spawn(self.runtime.as_ref(), || {
            // Weak: an endpoint that nobody has needs no waking, and its timer ends with it.
            let judge = Arc::downgrade(self);
            async move {
                tokio::time::sleep_until(at).await;
                if let Some(judge) = judge.upgrade() {
                    judge.wake();
                }
            }
        })
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("id", &self.id)
            .field("standing", &lock(&self.state).standing)
            .finish_non_exhaustive()
    }
}

const fn word(standing: &Standing) -> u64 {
    let not_serving = if standing.is_serving() {
        0
    } else {
        NOT_SERVING
    };
    let not_clean = if standing.is_clean() { 0 } else { NOT_CLEAN };
    standing.generation() << BITS | not_serving | not_clean
}

const fn state(standing: &Standing) -> State {
    if standing.is_out() {
        State::Ejected
    } else {
        State::Ready
    }
}
