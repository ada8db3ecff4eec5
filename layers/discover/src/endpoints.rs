//! The stream of endpoints.

use crate::{
    discovered::Discovered,
    feedback::Clerk,
    layer::DiscoverLayer,
    members::{Members, Settled},
    roster::{Roster, Ticket},
    source::Source,
    subset::subset,
    succession,
};
use futures_core::{Stream, future::BoxFuture};
use futures_util::{
    future::{AbortHandle, Abortable},
    stream::{FuturesUnordered, StreamExt},
};
use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep, sleep_until};
use tower::discover::Change;
use tower_service::Service;
use ziggurat_core::{BoxError, Endpoint, EndpointId, Instance, Named, clock};

/// The endpoints of a service as they come and go: a `tower::discover::Discover`.
///
/// It never ends and never fails. Everything it knows belongs to this stream; dropped, it cancels
/// what it had begun.
pub struct Endpoints<M>
where
    M: Service<Instance>,
{
    layer: DiscoverLayer,
    connector: M,
    source: Source,
    members: Members,
    /// When to settle who is leaving.
    timer: Option<Pin<Box<Sleep>>>,
    seed: Option<u64>,
    roster: Roster<M::Response>,
    /// Tells the sources how the endpoints do.
    clerk: Option<Clerk>,
    connecting: Jobs<Result<M::Response, M::Error>>,
    /// Wait to take the place of another.
    succeeding: Jobs<M::Response>,
    pausing: Jobs<()>,
}

/// `None`: it came to nothing, or not yet, or too late.
type Insert<M> = Option<Told<M>>;
type Told<M> = Change<EndpointId, Discovered<<M as Service<Instance>>::Response>>;
type Jobs<T> = FuturesUnordered<Abortable<BoxFuture<'static, (Ticket, T)>>>;

/// So many connectors run at once.
const MAX_CONNECTING: usize = 64;
/// So many changes are taken in before what they mean is looked at.
const MAX_BATCH: usize = 1024;

// === impl Endpoints ===

impl<M> Endpoints<M>
where
    M: Service<Instance>,
{
    pub(crate) fn new(layer: DiscoverLayer, connector: M) -> Self {
        Self {
            members: Members::new(layer.grace),
            clerk: layer
                .feedback
                .as_ref()
                .map(|all| Clerk::new(all.roll(&layer.service))),
            layer,
            connector,
            source: Source::default(),
            timer: None,
            seed: None,
            roster: Roster::default(),
            connecting: FuturesUnordered::new(),
            succeeding: FuturesUnordered::new(),
            pausing: FuturesUnordered::new(),
        }
    }
}

impl<M> Endpoints<M>
where
    M: Service<Instance>,
    M::Response: Endpoint,
    M::Error: Into<BoxError>,
    M::Future: Send + 'static,
{
    /// Takes in what the source has to say.
    fn hear(&mut self, cx: &mut Context<'_>) {
        let mut heard = 0;
        while heard < MAX_BATCH
            && let Poll::Ready(change) = self.source.poll_change(cx, &self.layer)
        {
            let filter = self.layer.filter.as_deref();
            let keep = |one: &Instance| filter.is_none_or(|keep| keep(one));
            self.members.apply(change, keep);
            heard += 1;
        }
        if heard == MAX_BATCH {
            // There may be more, and who has not said Pending does not wake.
            cx.waker().wake_by_ref();
        }
        if heard > 0 {
            self.settle();
        }
        while self.poll_timer(cx).is_ready() {
            self.settle();
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }

    fn settle(&mut self) {
        let settled = self.members.settle(clock::now());
        self.timer = self.members.settle_at().map(|at| Box::pin(sleep_until(at)));
        let seed = *self.seed.get_or_insert_with(|| self.layer.dice.number());
        let wanted = subset(self.members.all(), seed, self.layer.subset);
        self.roster.want(&wanted);
        let (said, held) = (self.members.said(), self.members.held());
        let service = &self.layer.service;
        if settled == Settled::Held {
            let grace = self.layer.grace;
            tracing::warn!(%service, said, held, ?grace, "most instances vanished at once: held");
            self.layer
                .tell(|observer| observer.held(service, said, held, grace));
        }
        self.layer
            .tell(|observer| observer.changed(service, said, wanted.len()));
    }

    /// Starts as many connectors as are due, ready and allowed.
    fn connect(&mut self, cx: &mut Context<'_>) {
        while self.connecting.len() < MAX_CONNECTING && self.roster.is_due() {
            let Poll::Ready(ready) = self.connector.poll_ready(cx) else {
                return;
            };
            let (handle, registration) = AbortHandle::new_pair();
            let Some((ticket, instance)) = self.roster.start(handle) else {
                return;
            };
            match ready {
                Ok(()) => {
                    let made = self.connector.call(Instance::clone(&instance));
                    let made: BoxFuture<'static, _> = Box::pin(async { (ticket, made.await) });
                    self.connecting.push(Abortable::new(made, registration));
                }
                Err(error) => self.failed(ticket, &*error.into()),
            }
        }
    }

    fn connected(&mut self, ticket: Ticket, made: Result<M::Response, M::Error>) -> Insert<M> {
        let endpoint = match made {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.failed(ticket, &*error.into());
                return None;
            }
        };
        let before = match self.roster.predecessor(&ticket) {
            Some(before) if !succession::is_due(endpoint.availability(), &before) => before,
            _ => return self.hand_out(ticket, endpoint),
        };
        let (handle, registration) = AbortHandle::new_pair();
        self.roster.go_on(&ticket, handle);
        let succeeds: BoxFuture<'static, _> = Box::pin(async move {
            succession::due(endpoint.availability(), &before).await;
            (ticket, endpoint)
        });
        self.succeeding.push(Abortable::new(succeeds, registration));
        None
    }

    fn hand_out(&mut self, ticket: Ticket, endpoint: M::Response) -> Insert<M> {
        let discovered = self.roster.hand_out(&ticket, endpoint)?;
        if let Some(clerk) = &self.clerk {
            clerk.enter(&ticket.id, discovered.availability());
        }
        Some(Change::Insert(ticket.id, discovered))
    }

    fn failed(&mut self, ticket: Ticket, error: &(dyn std::error::Error + Send + Sync + 'static)) {
        let Some(failures) = self.roster.failed(&ticket) else {
            return;
        };
        let service = &self.layer.service;
        let retry_in = self.layer.backoff.delay(failures, &self.layer.dice);
        tracing::warn!(%service, endpoint = %ticket.id, %error, ?retry_in, "connector failed");
        self.layer
            .tell(|observer| observer.connect_failed(service, &ticket.id, error, retry_in));
        let (handle, registration) = AbortHandle::new_pair();
        self.roster.go_on(&ticket, handle);
        let pause: BoxFuture<'static, _> = Box::pin(async move {
            sleep(retry_in).await;
            (ticket, ())
        });
        self.pausing.push(Abortable::new(pause, registration));
    }
}

// Nothing in it is ever pinned in place.
impl<M: Service<Instance>> Unpin for Endpoints<M> {}

impl<M> Stream for Endpoints<M>
where
    M: Service<Instance>,
    M::Response: Endpoint,
    M::Error: Into<BoxError>,
    M::Future: Send + 'static,
{
    type Item = Result<Change<EndpointId, Discovered<M::Response>>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.hear(cx);
        loop {
            this.connect(cx);
            if let Poll::Ready(Some(over)) = this.connecting.poll_next_unpin(cx) {
                if let Ok((ticket, made)) = over
                    && let Some(insert) = this.connected(ticket, made)
                {
                    return Poll::Ready(Some(Ok(insert)));
                }
                continue;
            }
            if let Poll::Ready(Some(over)) = this.succeeding.poll_next_unpin(cx) {
                if let Ok((ticket, endpoint)) = over
                    && let Some(insert) = this.hand_out(ticket, endpoint)
                {
                    return Poll::Ready(Some(Ok(insert)));
                }
                continue;
            }
            // Last: a connector that failed has just begun a pause.
            let Poll::Ready(Some(over)) = this.pausing.poll_next_unpin(cx) else {
                break;
            };
            if let Ok((ticket, ())) = over {
                this.roster.resume(&ticket);
            }
        }
        if let Some((id, discovered)) = this.roster.hand_out_again() {
            return Poll::Ready(Some(Ok(Change::Insert(id, discovered))));
        }
        // After those who come: a set that is replaced as a whole is not empty in between.
        let gone = this.roster.take_back();
        if let (Some(clerk), Some(id)) = (&this.clerk, &gone) {
            clerk.strike(id);
        }
        gone.map_or(Poll::Pending, |id| {
            Poll::Ready(Some(Ok(Change::Remove(id))))
        })
    }
}

impl<M: Service<Instance>> Named for Endpoints<M> {
    fn service(&self) -> &str {
        &self.layer.service
    }
}

impl<M: Service<Instance>> fmt::Debug for Endpoints<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("service", &self.layer.service)
            .field("instances", &self.members.said())
            .field("connecting", &self.connecting.len())
            .finish_non_exhaustive()
    }
}
