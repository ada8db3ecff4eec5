//! What a guarded source says: changes that may be believed, and how fresh they are.

use crate::members::{Members, Set, Settled};
use futures_core::Stream;
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep_until};
use ziggurat_core::{BoxError, Change, Changes, Instance, clock};

/// The instances of a service, as far as the source may be believed.
///
/// The first thing heard that is no trouble is all the instances, then come changes, one at a time.
/// [`instances`](Self::instances) are all that there are by now, with changes that are still to be
/// taken from the stream, and [`is_stale`](Self::is_stale) tells how to take them.
///
/// It spawns nothing and ends when its source does. It must be polled on a tokio runtime with a
/// timer.
#[must_use = "nothing is heard before it is polled"]
pub struct Guarded {
    /// `None` once it has ended: it is never polled again.
    source: Option<Changes>,
    members: Members,
    /// `None` before the source has said anything.
    told: Option<Set>,
    begun: bool,
    /// When to settle who is leaving.
    timer: Option<Pin<Box<Sleep>>>,
    held: bool,
    troubled: bool,
    due: VecDeque<Heard>,
}

/// What is heard of a guarded source.
#[derive(Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The instances changed; one that is gone has [left](Change::Left) for certain.
    Change(Change),
    /// What was heard so far still stands, but it may be old.
    Stale(Stale),
    /// What was heard so far is how it is now; it was stale before.
    Fresh,
}

/// Why instances may not be what they are said to be.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stale {
    /// The source suddenly names only so many; others are held for the grace period.
    Shrunk {
        /// How many it names.
        named: usize,
        /// How many it does not name any more, and stay.
        held: usize,
    },
    /// The source is in trouble. It is told each time that the source tells it.
    Trouble(BoxError),
}

/// So many changes are taken in before what they mean is looked at.
const MAX_BATCH: usize = 1024;

// === impl Guarded ===

impl Guarded {
    pub(super) fn new(source: Changes, grace: Duration) -> Self {
        Self {
            source: Some(source),
            members: Members::new(grace),
            told: None,
            begun: false,
            timer: None,
            held: false,
            troubled: false,
            due: VecDeque::new(),
        }
    }

    /// All that are to be believed in by now, ordered by id; none before the first change.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.told.iter().flat_map(Set::values)
    }

    /// Whether the source is in trouble, or some are held that it does not name any more.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.held || self.troubled
    }

    /// Takes in what the source has to say; true if it said anything.
    fn listen(&mut self, cx: &mut Context<'_>) -> bool {
        let mut heard = 0;
        while heard < MAX_BATCH
            && let Some(source) = &mut self.source
            && let Poll::Ready(said) = source.as_mut().poll_next(cx)
        {
            heard += 1;
            match said {
                Some(Ok(change)) => {
                    self.begun |= matches!(change, Change::All(_));
                    self.troubled = false;
                    self.members.apply(change, |_| true);
                }
                Some(Err(error)) => {
                    self.troubled = true;
                    self.due.push_back(Heard::Stale(Stale::Trouble(error)));
                    // What came before it is settled before what comes after it.
                    break;
                }
                None => self.source = None,
            }
        }
        heard > 0
    }

    /// Decides about those who vanished, and tells what differs from what was told.
    fn settle(&mut self, was_stale: bool) {
        let settled = self.members.settle(clock::now());
        self.timer = self.members.settle_at().map(|at| Box::pin(sleep_until(at)));
        self.held = settled != Settled::Believed;
        if self.begun {
            self.tell();
        }
        if settled == Settled::Held {
            let (named, held) = (self.members.said(), self.members.held());
            self.due
                .push_back(Heard::Stale(Stale::Shrunk { named, held }));
        }
        if was_stale && !self.is_stale() {
            self.due.push_back(Heard::Fresh);
        }
    }

    fn tell(&mut self) {
        let believed = self.members.all();
        let believed: Set = believed
            .map(|one| (one.id().clone(), Arc::clone(one)))
            .collect();
        let Some(told) = &self.told else {
            let all = believed.values().map(Arc::clone).collect();
            self.due.push_back(Heard::Change(Change::All(all)));
            self.told = Some(believed);
            return;
        };
        let is_new = |one: &&Arc<Instance>| match told.get(one.id()) {
            Some(known) => !Arc::ptr_eq(known, one) && known != *one,
            None => true,
        };
        let came = believed.values().filter(is_new).map(Arc::clone);
        let left = told.keys().filter(|id| !believed.contains_key(*id));
        // What came goes first, so that whoever applies this one by one is never short of both.
        let changes = came.map(Change::Put);
        let changes = changes.chain(left.cloned().map(Change::Left));
        self.due.extend(changes.map(Heard::Change));
        self.told = Some(believed);
    }

    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.timer.as_mut();
        timer.is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

impl Stream for Guarded {
    type Item = Heard;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let this = &mut *self;
        loop {
            if let Some(heard) = this.due.pop_front() {
                return Poll::Ready(Some(heard));
            }
            if this.source.is_none() {
                return Poll::Ready(None);
            }
            let was_stale = this.is_stale();
            // Both are polled, so that either wakes.
            let (heard, is_due) = (this.listen(cx), this.is_due(cx));
            if !heard && !is_due {
                return Poll::Pending;
            }
            this.settle(was_stale);
        }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("instances", &self.instances().count())
            .field("stale", &self.is_stale())
            .finish_non_exhaustive()
    }
}

// === impl Heard ===

impl Heard {
    /// As one says it who knows of no stale sets.
    pub(super) fn into_change(self) -> Option<Result<Change, BoxError>> {
        match self {
            Self::Change(change) => Some(Ok(change)),
            Self::Stale(Stale::Trouble(error)) => Some(Err(error)),
            Self::Stale(Stale::Shrunk { .. }) => None,
            Self::Fresh => Some(Ok(Change::Current)),
        }
    }
}

// === impl Stale ===

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shrunk { named, held } => {
                write!(f, "{held} instances vanished at once, {named} are left")
            }
            Self::Trouble(error) => write!(f, "source in trouble: {error}"),
        }
    }
}
