//! The task that keeps an endpoint connected.

use crate::{
    attempts::{Attempts, Next},
    error::{Cause, NotConnected, describe, is_calm_wanted},
    link::{Driver, Link, handshake},
    observer::Observer,
    road::Road,
    settings::{Keepalive, Settings},
    shared::{Phase, Shared},
};
use http_body::Body;
use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use ziggurat_core::{Availability, BoxError, Dice, Reporter, State, clock};

/// Connects, waits for the end, and connects again, for as long as there is a handle.
pub(crate) struct Keeper<B> {
    pub(crate) road: Road,
    pub(crate) settings: Settings,
    pub(crate) dice: Dice,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) availability: Availability,
    /// Weak: handles keep the connection, not the other way round.
    pub(crate) shared: Weak<Shared<B>>,
}

/// What is learned from one connection for the next.
struct Memory {
    attempts: Attempts,
    keepalive: Option<Keepalive>,
    made: u64,
    /// The endpoint is to be seen as ready while the next connection is made.
    replacing: bool,
}

/// There is no handle any more.
struct Abandoned;

/// How long a replacement may take before the endpoint is no longer said to be ready.
const GRACE: Duration = Duration::from_millis(250);

// === impl Keeper ===

impl<B> Keeper<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) async fn run(self) {
        let mut draining = JoinSet::new();
        let mut memory = Memory {
            attempts: Attempts::default(),
            keepalive: self.settings.keepalive,
            made: 0,
            replacing: false,
        };
        while self.round(&mut memory, &mut draining).await.is_ok() {
            while draining.try_join_next().is_some() {}
        }
        // Nobody can call any more, but what was called goes on to its end.
        while draining.join_next().await.is_some() {}
    }

    /// One connection, from the first try to its end; or a try that failed and the wait after it.
    async fn round(
        &self,
        memory: &mut Memory,
        draining: &mut JoinSet<()>,
    ) -> Result<(), Abandoned> {
        self.publish(Phase::Connecting)?;
        let begun = clock::now();
        memory.made += 1;
        let (link, mut driver) = match self.connect(memory).await {
            Ok(made) => made,
            Err(error) => {
                let retry_in = memory.attempts.failed(&self.settings.backoff, &self.dice);
                return self.down(error, retry_in).await;
            }
        };
        let link = Arc::new(link);
        self.publish(Phase::Up(Arc::clone(&link)))?;
        self.report(State::Ready);
        let id = self.road.instance.id();
        tracing::debug!(endpoint = %id, took = ?begun.elapsed(), "connected");
        self.observer.connected(id, begun.elapsed());

        let up = clock::now();
        let closed = driver.closed(&link.slots).await;
        draining.spawn(driver.drained());
        self.closed(memory, &link, closed, up.elapsed()).await
    }

    /// Decides what comes after a connection.
    async fn closed(
        &self,
        memory: &mut Memory,
        link: &Link<B>,
        closed: Result<(), hyper::Error>,
        lived: Duration,
    ) -> Result<(), Abandoned> {
        // Who says goodbye in peace answers the calls that it still has.
        let useful = link.answered() || closed.is_ok() && link.slots.in_use();
        link.slots.close();
        let error = closed.err();
        if error.as_ref().is_some_and(is_calm_wanted) {
            memory.keepalive = memory.keepalive.map(Keepalive::calmer);
        }
        let id = self.road.instance.id();
        tracing::debug!(endpoint = %id, ?lived, ?error, "disconnected");
        let cause = error.as_ref().map(|error| error as _);
        self.observer.disconnected(id, cause, lived);
        let (backoff, dice) = (&self.settings.backoff, &self.dice);
        match memory.attempts.ended(lived, useful, backoff, dice) {
            Next::Now => {
                memory.replacing = true;
                Ok(())
            }
            Next::After(retry_in) => {
                let hung_up = || NotConnected("the peer closed the connection at once").into();
                let error = error.map_or_else(hung_up, BoxError::from);
                self.down(error, retry_in).await
            }
        }
    }

    async fn connect(&self, memory: &mut Memory) -> Result<(Link<B>, Driver<B>), BoxError> {
        let keepalive = memory.keepalive;
        let mut open = pin!(self.open(memory.made, keepalive));
        if std::mem::take(&mut memory.replacing)
            && let Ok(made) = timeout(GRACE, open.as_mut()).await
        {
            return made;
        }
        self.report(State::Connecting);
        open.await
    }

    async fn open(
        &self,
        number: u64,
        keepalive: Option<Keepalive>,
    ) -> Result<(Link<B>, Driver<B>), BoxError> {
        let open = async {
            let stream = self.road.open().await?;
            handshake(stream, number, &self.settings, keepalive).await
        };
        match timeout(self.settings.connect_timeout, open).await {
            Ok(made) => made,
            Err(_) => Err(NotConnected("timed out before the peer said SETTINGS").into()),
        }
    }

    async fn down(&self, error: BoxError, retry_in: Duration) -> Result<(), Abandoned> {
        let id = self.road.instance.id();
        let cause: Cause = error.into();
        let reason = format!("cannot connect to {id}: {}", describe(&*cause));
        tracing::debug!(endpoint = %id, %reason, ?retry_in, "no connection");
        self.publish(Phase::Down(reason.into(), Arc::clone(&cause)))?;
        self.report(State::Down);
        self.observer.connect_failed(id, &*cause, retry_in);
        sleep(retry_in).await;
        Ok(())
    }
}

impl<B> Keeper<B> {
    fn publish(&self, phase: Phase<B>) -> Result<(), Abandoned> {
        let shared = self.shared.upgrade().ok_or(Abandoned)?;
        shared.phase.send_replace(phase);
        Ok(())
    }

    fn report(&self, state: State) {
        self.availability.report(Reporter::Connection, state);
    }
}

impl<B> Drop for Keeper<B> {
    fn drop(&mut self) {
        // A runtime that shuts down may leave handles behind; they must not wait for nobody.
        let gone = "nobody keeps the connection any more";
        let gone = Phase::Down(gone.into(), Arc::new(NotConnected(gone)));
        if self.publish(gone).is_ok() {
            self.report(State::Down);
        }
    }
}
