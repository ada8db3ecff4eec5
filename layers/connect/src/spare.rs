//! One more connection to an endpoint, while calls wait for streams of those that it has.

use crate::{
    attempts::{Attempts, Next},
    group::Group,
    link::Link,
    maker::Maker,
    race::{First, race},
    settings::Keepalive,
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{task::yield_now, time::sleep};
use ziggurat_core::clock;

/// How many of them there are; dropped, one fewer.
pub(crate) struct Spares {
    held: Arc<()>,
    opening: Arc<()>,
    attempts: Arc<Mutex<Attempts>>,
    most: usize,
}

/// The right to one connection more.
pub(crate) struct Permit {
    _held: Arc<()>,
    /// One is made at a time: it may be enough.
    opening: Option<Arc<()>>,
    /// Those of all of them: who hangs up on one hangs up on the next.
    attempts: Arc<Mutex<Attempts>>,
}

/// What makes it, and what it serves.
pub(crate) struct Spare {
    pub(crate) maker: Arc<Maker>,
    pub(crate) group: Arc<Group>,
    pub(crate) number: u64,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) permit: Permit,
}

/// One that was not used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const LOOKS: u32 = 4;

// === impl Spares ===

impl Spares {
    pub(crate) fn up_to(most: u8) -> Self {
        Self {
            held: Arc::new(()),
            opening: Arc::new(()),
            attempts: Arc::default(),
            most: usize::from(most),
        }
    }

    pub(crate) fn permit(&self) -> Option<Permit> {
        let opening = Arc::strong_count(&self.opening) > 1;
        let room = Arc::strong_count(&self.held) <= self.most;
        (room && !opening).then(|| Permit {
            _held: Arc::clone(&self.held),
            opening: Some(Arc::clone(&self.opening)),
            attempts: Arc::clone(&self.attempts),
        })
    }
}

// === impl Permit ===

impl Permit {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Spare ===

impl Spare {
    /// From the first try to the end of its last call.
    pub(crate) async fn run(self) {
        let Self {
            maker,
            group,
            number,
            keepalive,
            mut permit,
        } = self;
        let slots = Arc::clone(&group.slots);
        let open = maker.open(number, keepalive, &slots);
        let (link, mut driver) = match race(slots.closed(), open).await {
            First::One(()) => return,
            First::Other(Ok(made)) => made,
            First::Other(Err(error)) => {
                // There is one connection: nobody is down. But it is not tried without a pause.
                let pause = permit
                    .attempts()
                    .failed(&maker.settings.backoff, &maker.dice);
                tracing::debug!(endpoint = %maker.id(), %error, retry_in = ?pause, "no further connection");
                maker.tell(|observer, id| observer.connect_failed(id, &*error, pause));
                race(slots.closed(), sleep(pause)).await;
                drop(permit);
                return slots.ask();
            }
        };
        let begun = clock::now();
        let link = Arc::new(link);
        group.add(Arc::clone(&link));
        tracing::debug!(endpoint = %maker.id(), "connected once more");
        maker.tell(|observer, id| observer.connected(id, begun.elapsed()));
        permit.opening = None;
        // Who still waits after those were served who can be may want one more.
        yield_now().await;
        slots.ask();

        let closed = driver.closed();
        let closed = race(closed, race(slots.closed(), unused(&link))).await;
        let (closed, useful) = match closed {
            // Who says goodbye in peace answers the calls that it still has.
            First::One(closed) => {
                let in_use = closed.is_ok() && link.lane.in_use();
                (closed, link.answered() || in_use)
            }
            First::Other(_) => (Ok(()), true),
        };
        group.remove(&link);
        drop(group);
        let error = closed.err();
        let lived = begun.elapsed();
        maker.tell(|observer, id| observer.disconnected(id, error.as_deref(), lived));
        let (backoff, dice) = (&maker.settings.backoff, &maker.dice);
        let next = permit.attempts().ended(lived, useful, backoff, dice);
        drop(link);
        let next = async {
            if let Next::After(pause) = next {
                race(slots.closed(), sleep(pause)).await;
            }
            drop(permit);
            slots.ask();
        };
        let (mut drained, mut next) = (pin!(driver.drained()), pin!(next));
        // What calls it still has go on meanwhile.
        match race(drained.as_mut(), next.as_mut()).await {
            First::One(()) => next.await,
            First::Other(()) => drained.await,
        }
    }
}

/// Ready when it was closed because there was no call for long.
async fn unused(link: &Link) {
    loop {
        let mut quiet = 0;
        while quiet < LOOKS {
            sleep(IDLE / LOOKS).await;
            quiet = if link.lane.was_quiet() { quiet + 1 } else { 0 };
        }
        if !link.lane.in_use() {
            return;
        }
    }
}
