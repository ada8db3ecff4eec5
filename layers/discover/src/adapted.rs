//! Sources that say a part of what another source says.

use futures_core::Stream;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use ziggurat_core::{BoxError, Change, Changes, EndpointId, Instance, Resolve};

/// Chooses some of the instances of a service, and what weight they have.
///
/// Each stream gets a clone of its own. What is chosen follows from what is there, and from what
/// [`poll_anew`](Self::poll_anew) waits for.
pub trait Choose: Clone + Send + Sync + Unpin + 'static {
    /// The instances of this service are to be chosen from.
    fn begin(&mut self, service: &str) {
        let _ = service;
    }

    /// Those that are to be seen, of all there are.
    fn choose(&mut self, all: &Instances) -> Instances;

    /// Ready when there may be something else to choose although nobody came or went.
    fn poll_anew(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Pending
    }
}

/// Instances by their id, which gives everything an order.
pub type Instances = BTreeMap<EndpointId, Arc<Instance>>;

/// A source that says of another one's instances those that `C` chooses.
///
/// It is a source itself, so that one can stand on another: see [`ResolveExt`](crate::ResolveExt).
#[derive(Clone)]
pub struct Adapted<R, C> {
    inner: R,
    choose: C,
}

/// What it says.
struct Chosen<C> {
    /// `None`: it has ended, and is not polled again.
    source: Option<Changes>,
    choose: C,
    /// `None`: the source has not said anything yet.
    all: Option<Instances>,
    said: Option<Instances>,
    /// Went for certain since it was last told.
    left: BTreeSet<EndpointId>,
    /// Trouble was told; has the source said anything since?
    trouble: Option<bool>,
    queue: VecDeque<Result<Change, BoxError>>,
}

/// So many changes are taken in before what they mean is looked at.
const MAX_BATCH: usize = 1024;

// === impl Adapted ===

impl<R, C> Adapted<R, C> {
    /// Says what `choose` makes of what `inner` says.
    pub const fn new(inner: R, choose: C) -> Self {
        Self { inner, choose }
    }

    /// What is chosen from.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// What is chosen from.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Resolve, C: Choose> Resolve for Adapted<R, C> {
    fn resolve(&self, service: &str) -> Changes {
        let mut choose = self.choose.clone();
        choose.begin(service);
        Box::pin(Chosen {
            source: Some(self.inner.resolve(service)),
            choose,
            all: None,
            said: None,
            left: BTreeSet::new(),
            trouble: None,
            queue: VecDeque::new(),
        })
    }
}

impl<R, C: fmt::Debug> fmt::Debug for Adapted<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapted")
            .field("choose", &self.choose)
            .finish_non_exhaustive()
    }
}

// === impl Chosen ===

impl<C: Choose> Chosen<C> {
    /// Takes in what the source has to say. Is there something to choose?
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        let mut heard = false;
        for _ in 0..MAX_BATCH {
            let Some(source) = &mut self.source else {
                return heard;
            };
            match source.as_mut().poll_next(cx) {
                Poll::Pending => return heard,
                Poll::Ready(None) => self.source = None,
                Poll::Ready(Some(Ok(change))) => heard |= self.apply(change),
                Poll::Ready(Some(Err(error))) => {
                    // What was said before the trouble is told before it.
                    self.tell();
                    self.queue.push_back(Err(error));
                    self.trouble = Some(false);
                    return false;
                }
            }
        }
        heard
    }

    fn apply(&mut self, change: Change) -> bool {
        self.trouble = self.trouble.map(|_| true);
        match (change, &mut self.all) {
            (Change::All(all), mine) => {
                let by_id = all.into_iter().map(|one| (one.id().clone(), one));
                *mine = Some(by_id.collect());
            }
            (Change::Put(one), mine) => {
                let mine = mine.get_or_insert_default();
                mine.insert(one.id().clone(), one);
            }
            (Change::Remove(id), Some(mine)) => {
                mine.remove(&id);
            }
            (Change::Left(id), Some(mine)) => {
                mine.remove(&id);
                self.left.insert(id);
            }
            (Change::Remove(_) | Change::Left(_), None) => return false,
            (Change::Current, _) => {}
            // What comes to be known later is none of ours.
            (other, _) => {
                self.tell();
                self.queue.push_back(Ok(other));
                return false;
            }
        }
        true
    }

    /// Chooses anew, and says what that changes.
    fn tell(&mut self) {
        let Some(all) = &self.all else {
            return;
        };
        let chosen = self.choose.choose(all);
        let left = std::mem::take(&mut self.left);
        let well = self.trouble == Some(true);
        self.trouble = self.trouble.filter(|_| !well);
        let Some(said) = &self.said else {
            let all = chosen.values().map(Arc::clone).collect();
            self.queue.push_back(Ok(Change::All(all)));
            self.said = Some(chosen);
            return;
        };
        let gone = said.keys().filter(|id| !chosen.contains_key(*id));
        let changed = chosen
            .iter()
            .filter(|(id, one)| said.get(*id) != Some(*one));
        // Those who come first: a set that is replaced as a whole is not empty in between.
        let changes = changed.map(|(_, one)| Change::Put(Arc::clone(one)));
        // Who is there and not chosen any more is not missing: nobody is to doubt that.
        let is_certain = |id: &EndpointId| left.contains(id) || all.contains_key(id);
        let changes = changes.chain(gone.map(|id| match is_certain(id) {
            true => Change::Left(id.clone()),
            false => Change::Remove(id.clone()),
        }));
        let before = self.queue.len();
        self.queue.extend(changes.map(Ok));
        if well && self.queue.len() == before {
            self.queue.push_back(Ok(Change::Current));
        }
        self.said = Some(chosen);
    }
}

impl<C: Choose> Stream for Chosen<C> {
    type Item = Result<Change, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(said) = this.queue.pop_front() {
                return Poll::Ready(Some(said));
            }
            let heard = this.hear(cx);
            let anew = this.all.is_some() && this.choose.poll_anew(cx).is_ready();
            if heard || anew {
                this.tell();
            } else if this.queue.is_empty() {
                return match this.source {
                    Some(_) => Poll::Pending,
                    None => Poll::Ready(None),
                };
            }
        }
    }
}
