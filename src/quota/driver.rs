//! The task that talks to Redis: one connection, and what is asked over it.
//!
//! ```text
//!  limits ── orders ──▶ driver ── EVALSHA, many at once ──▶ Redis
//!                         │ the first that fails: out of reach; all that wait hear of it
//!                         └ connect, PING, until one is answered: in reach again
//! ```
//!
//! Whoever calls while it is out of reach does not wait.

use super::{
    handle::Settings,
    limit::Limit,
    script::{Grant, Trouble, Want},
    server::Way,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};
use ziggurat_core::{Backoff, clock};

/// What a limit wants to know of Redis.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) limit: Weak<Limit>,
    /// The place of the key; none if it has none.
    pub(super) hash: Option<u64>,
    pub(super) name: Arc<str>,
    pub(super) want: Want,
    /// Dropped without an answer, it tells that there is none.
    pub(super) done: watch::Sender<Option<Result<Grant, Trouble>>>,
}

/// What driver and limits know of Redis.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) settings: Settings,
    /// Whether it is out of reach.
    down: AtomicBool,
}

/// The task; it ends with this.
#[derive(Debug)]
pub(super) struct Driver {
    orders: mpsc::Sender<Order>,
    _task: JoinSet<()>,
}

/// What may wait for the driver.
const ORDERS: usize = 4_096;
/// What may be asked at once over the connection.
const AT_ONCE: usize = 1_024;
/// One that has worked for so long is connected to at once when it fails.
const STEADY: Duration = Duration::from_secs(1);
/// How long a new connection may take, with the greetings: there is a task that waits, no call.
const CONNECT: Duration = Duration::from_secs(1);

// === impl Link ===

impl Link {
    pub(super) const fn new(settings: Settings) -> Self {
        Self {
            settings,
            down: AtomicBool::new(false),
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    fn tell(&self, down: bool) {
        if self.down.swap(down, Relaxed) != down {
            if down {
                tracing::warn!("rate limits: Redis is out of reach");
            } else {
                tracing::info!("rate limits: Redis is in reach again");
            }
            self.settings.observer.redis(!down);
        }
    }
}

// === impl Driver ===

impl Driver {
    /// A task of this runtime.
    pub(super) fn start(link: Arc<Link>) -> Self {
        let (orders, queue) = mpsc::channel(ORDERS);
        let mut task = JoinSet::new();
        // One for all limits of a quota, as they share its connection.
        task.spawn(run(link, queue));
        Self {
            orders,
            _task: task,
        }
    }

    /// Whether its runtime is still there.
    pub(super) fn is_alive(&self) -> bool {
        !self.orders.is_closed()
    }

    /// Has it asked; or drops it, if there is too much to ask already.
    pub(super) fn order(&self, order: Order) {
        let _too_many = self.orders.try_send(order);
    }
}

async fn run(link: Arc<Link>, mut orders: mpsc::Receiver<Order>) {
    let backoff = backoff();
    // How often it failed since Redis last did what it was told, for a while.
    let mut failed = 0;
    loop {
        if failed > 1 {
            let pause = backoff.delay(failed - 2, &link.settings.dice);
            refuse_for(pause, &mut orders).await;
        }
        match connect(&link, failed > 0, &mut orders).await {
            Some(way) => {
                link.tell(false);
                let began = clock::now();
                let worked = serve(&link, &way.connection, &mut orders).await;
                // One that does some of what it is told is not connected to anew for every call.
                if worked && clock::now().saturating_duration_since(began) > STEADY {
                    failed = 0;
                }
            }
            None if orders.is_closed() => return,
            None => {}
        }
        if orders.is_closed() && orders.is_empty() {
            return;
        }
        failed = failed.saturating_add(1);
        link.tell(true);
    }
}

/// A connection over which Redis answers.
///
/// Those who wait for the very first one may be lucky, for as long as a call may wait; later nobody waits.
async fn connect(link: &Link, mut refuse: bool, orders: &mut mpsc::Receiver<Order>) -> Option<Way> {
    // This task has a bound for each of its questions.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connecting = time::timeout(CONNECT, async {
        let mut way = link.settings.server.connect(&config).await?;
        redis::cmd("PING")
            .query_async::<redis::Value>(&mut way.connection)
            .await?;
        Ok::<_, redis::RedisError>(way)
    });
    tokio::pin!(connecting);
    let patience = time::sleep(link.settings.timeout);
    tokio::pin!(patience);
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut connecting => break answer,
            order = orders.recv(), if refuse => drop(order?),
            () = &mut patience, if !refuse => {
                refuse = true;
                link.tell(true);
            }
        }
    };
    match answer {
        Ok(Ok(way)) => Some(way),
        Ok(Err(error)) => {
            tracing::debug!(%error, "rate limits: no connection to Redis");
            None
        }
        Err(_late) => None,
    }
}

/// Asks what is ordered until something fails; answers whether Redis ever did what it was told.
async fn serve(
    link: &Link,
    connection: &MultiplexedConnection,
    orders: &mut mpsc::Receiver<Order>,
) -> bool {
    let mut asked = FuturesUnordered::new();
    let mut worked = false;
    loop {
        let answer = tokio::select! {
            order = orders.recv(), if asked.len() < AT_ONCE => match order {
                Some(order) => {
                    asked.push(ask(link, connection.clone(), order));
                    continue;
                }
                None => return worked,
            },
            Some(answer) = asked.next() => answer,
        };
        match answer {
            // The others wait for the same connection: dropped, they hear of it at once.
            Err(Trouble::Down | Trouble::Slow) => return worked,
            Ok(_) | Err(Trouble::Malformed | Trouble::Elsewhere) => worked = true,
        }
    }
}

async fn ask(
    link: &Link,
    mut connection: MultiplexedConnection,
    order: Order,
) -> Result<Grant, Trouble> {
    let settings = &link.settings;
    let begin = clock::now();
    let asked = settings
        .layout
        .take(&mut connection, &order.name, order.want);
    let answer = time::timeout(settings.timeout, asked).await;
    let answer = answer.unwrap_or(Err(Trouble::Slow));
    match &answer {
        Ok(grant) => settings
            .observer
            .asked(clock::now().saturating_duration_since(begin), grant.granted),
        Err(Trouble::Malformed) => {
            // Not where: a key may be a secret of whoever calls.
            tracing::warn!("rate limits: Redis holds something else under a key of ours");
            settings.observer.malformed();
        }
        Err(Trouble::Elsewhere) => settings.observer.elsewhere(),
        Err(trouble) => tracing::debug!(?trouble, "rate limits: Redis was asked in vain"),
    }
    if let (Some(limit), Some(hash)) = (order.limit.upgrade(), order.hash) {
        limit.settle(hash, order.want, answer);
    }
    let _nobody_waits = order.done.send(Some(answer));
    answer
}

/// Waits, while whoever asks is told that there will be no answer.
async fn refuse_for(pause: Duration, orders: &mut mpsc::Receiver<Order>) {
    // Ends early when nobody is left who could ask.
    let refusing = async { while orders.recv().await.is_some() {} };
    let _the_pause_is_over = time::timeout(pause, refusing).await;
}

fn backoff() -> Backoff {
    let (first, most) = (Duration::from_millis(50), Duration::from_secs(1));
    let backoff = Backoff::new(first, 2.0, most).and_then(|backoff| backoff.jitter(0.3));
    backoff.expect("the numbers are right")
}
