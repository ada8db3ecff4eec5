//! The task that keeps an endpoint connected.

use crate::{
    attempts::{Attempts, Next},
    driver::Driver,
    error::{Cause, NotConnected, describe, is_calm_wanted},
    group::Group,
    link::Link,
    maker::Maker,
    race::{First, race},
    settings::Keepalive,
    shared::{Phase, Shared},
    slots::Slots,
    spare::{Spare, Spares},
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Weak},
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use ziggurat_core::{Availability, BoxError, Reporter, State, clock};

/// Connects, waits for the end, and connects again, for as long as there is a handle.
pub(crate) struct Keeper {
    pub(crate) maker: Arc<Maker>,
    pub(crate) availability: Availability,
    /// Weak: handles keep the connection, not the other way round.
    pub(crate) shared: Weak<Shared>,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// What is learned from one connection for the next.
struct Memory {
    attempts: Attempts,
    keepalive: Option<Keepalive>,
    made: u64,
    /// The endpoint is to be seen as ready while the next connection is made.
    replacing: bool,
    /// What was called goes on to its end.
    draining: JoinSet<()>,
}

/// There is no handle any more.
struct Abandoned;

/// Why a connection takes no more calls.
enum End {
    /// Its peer wants none, or is gone.
    Closed(Result<(), BoxError>),
    /// There were none for long.
    Unused,
}

/// How long a replacement may take before the endpoint is no longer said to be ready.
const GRACE: Duration = Duration::from_millis(250);
/// How often it is asked whether there were calls, in the time after which there were none for long.
const LOOKS: u32 = 4;

// === impl Keeper ===

impl Keeper {
    pub(crate) async fn run(mut self) {
        let mut memory = Memory {
            attempts: Attempts::default(),
            keepalive: self.maker.settings.keepalive,
            made: 0,
            replacing: false,
            draining: JoinSet::new(),
        };
        while self.round(&mut memory).await.is_ok() {
            while memory.draining.try_join_next().is_some() {}
        }
        // Nobody can call any more, but what was called goes on to its end.
        while memory.draining.join_next().await.is_some() {}
    }

    /// One connection, from the first try to its end; or a try that failed and the wait after it.
    async fn round(&mut self, memory: &mut Memory) -> Result<(), Abandoned> {
        self.publish(Phase::Connecting)?;
        let begun = clock::now();
        let slots = Slots::new(self.maker.settings.max_waiting);
        let (link, mut driver) = match self.connect(memory, &slots).await {
            Ok(made) => made,
            Err(error) => {
                let maker = &self.maker;
                let retry_in = memory.attempts.failed(&maker.settings.backoff, &maker.dice);
                return self.down(error, retry_in).await;
            }
        };
        let group = Arc::new(Group::new(slots, link));
        self.publish(Phase::Up(Arc::clone(&group)))?;
        let (id, took) = (self.maker.id(), begun.elapsed());
        tracing::debug!(endpoint = %id, ?took, "connected");
        self.maker.tell(|observer, id| observer.connected(id, took));

        let up = clock::now();
        let end = self.serve(memory, &mut driver, &group).await;
        memory.draining.spawn(driver.drained());
        match end {
            End::Closed(closed) => self.closed(memory, group, closed, up.elapsed()).await,
            End::Unused => {
                // Its links keep the connection open.
                drop(group);
                self.unused(up.elapsed()).await
            }
        }
    }

    /// Ready when the connection takes no more calls. Says whether it takes any now, and has more made
    /// while calls wait for streams.
    async fn serve(&self, memory: &mut Memory, driver: &mut Driver, group: &Arc<Group>) -> End {
        let spares = Spares::up_to(self.maker.settings.spares);
        loop {
            let barred = group.first.lane.is_barred();
            // Called when nobody else is there, as one that nobody has called for long.
            self.report(if barred { State::Idle } else { State::Ready });
            let idle = idle(group, self.maker.settings.idle_close);
            let other = race(idle, race(group.slots.wanted(), turned(group, barred)));
            match race(driver.closed(), other).await {
                First::One(closed) => return End::Closed(closed),
                First::Other(First::One(())) => return End::Unused,
                First::Other(First::Other(_)) => {}
            }
            while memory.draining.try_join_next().is_some() {}
            if group.slots.is_wanted()
                && let Some(permit) = spares.permit()
            {
                memory.made += 1;
                let spare = Spare {
                    maker: Arc::clone(&self.maker),
                    group: Arc::clone(group),
                    number: memory.made,
                    keepalive: memory.keepalive,
                    permit,
                };
                memory.draining.spawn(spare.run());
            }
        }
    }

    /// Decides what comes after a connection.
    async fn closed(
        &self,
        memory: &mut Memory,
        group: Arc<Group>,
        closed: Result<(), BoxError>,
        lived: Duration,
    ) -> Result<(), Abandoned> {
        // Who says goodbye in peace answers the calls that it still has.
        let useful = group.first.answered() || closed.is_ok() && group.first.lane.in_use();
        group.close();
        drop(group);
        let error = closed.err();
        if error.as_deref().is_some_and(is_calm_wanted) {
            memory.keepalive = memory.keepalive.map(Keepalive::calmer);
        }

        self.disconnected(error.as_deref(), lived);
        let (backoff, dice) = (&self.maker.settings.backoff, &self.maker.dice);
        match memory.attempts.ended(lived, useful, backoff, dice) {
            Next::Now => {
                memory.replacing = true;
                Ok(())
            }
            Next::After(retry_in) => {
                let hung_up = || NotConnected("the peer closed the connection at once").into();
                let error = error.unwrap_or_else(hung_up);
                self.down(error, retry_in).await
            }
        }
    }

    /// Ready when somebody calls again.
    async fn unused(&mut self, lived: Duration) -> Result<(), Abandoned> {
        self.disconnected(None, lived);
        self.publish(Phase::Idle)?;
        self.report(State::Idle);
        let called = |phase: &Phase| !matches!(phase, Phase::Idle);
        let called = self.phase.wait_for(called).await;
        called.map(|_| ()).map_err(|_| Abandoned)
    }

    async fn connect(
        &self,
        memory: &mut Memory,
        slots: &Arc<Slots>,
    ) -> Result<(Link, Driver), BoxError> {
        memory.made += 1;
        let open = self.maker.open(memory.made, memory.keepalive, slots);
        let mut open = pin!(open);
        if std::mem::take(&mut memory.replacing)
            && let Ok(made) = timeout(GRACE, open.as_mut()).await
        {
            return made;
        }
        self.report(State::Connecting);
        open.await
    }

    async fn down(&self, error: BoxError, retry_in: Duration) -> Result<(), Abandoned> {
        let id = self.maker.id();
        let cause: Cause = error.into();
        let reason = format!("cannot connect to {id}: {}", describe(&*cause));
        tracing::debug!(endpoint = %id, %reason, ?retry_in, "no connection");
        self.publish(Phase::Down(reason.into(), Arc::clone(&cause)))?;
        self.report(State::Down);
        self.maker
            .tell(|observer, id| observer.connect_failed(id, &*cause, retry_in));
        sleep(retry_in).await;
        Ok(())
    }
}

impl Keeper {
    fn publish(&self, phase: Phase) -> Result<(), Abandoned> {
        let shared = self.shared.upgrade().ok_or(Abandoned)?;
        shared.publish(phase);
        Ok(())
    }

    fn report(&self, state: State) {
        self.availability.report(Reporter::Connection, state);
    }

    fn disconnected(
        &self,
        error: Option<&(dyn std::error::Error + Send + Sync + 'static)>,
        lived: Duration,
    ) {
        let id = self.maker.id();
        tracing::debug!(endpoint = %id, ?lived, error, "disconnected");
        self.maker
            .tell(|observer, id| observer.disconnected(id, error, lived));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // A runtime that shuts down may leave handles behind; they must not wait for nobody.
        let gone = "nobody keeps the connection any more";
        let gone = Phase::Down(gone.into(), Arc::new(NotConnected(gone)));
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        if let Phase::Up(group) = shared.publish(gone) {
            group.close();
        }
        self.report(State::Down);
    }
}

/// Ready when the peer allows streams and did not, or the other way round.
async fn turned(group: &Group, barred: bool) {
    // Nobody is woken by it: it changes in this task alone, by the driver, which is asked first.
    poll_fn(|_| match group.first.lane.is_barred() == barred {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

/// Ready when the group was closed because there were no calls for so long.
async fn idle(group: &Group, after: Option<Duration>) {
    let Some(after) = after else {
        return std::future::pending().await;
    };
    loop {
        let mut quiet = 0;
        while quiet < LOOKS {
            sleep(after / LOOKS).await;
            quiet = if group.was_quiet() { quiet + 1 } else { 0 };
        }
        if group.close_if_unused() {
            return;
        }
    }
}
