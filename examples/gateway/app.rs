//! The gateway itself: what stands before its routes, and how it starts and stops.

mod events;
mod metrics;
mod refusal;
mod routes;

use axum::{
    Router,
    extract::ConnectInfo,
    middleware,
    routing::{get, post},
};
use http::HeaderName;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use ziggurat::{
    client::{Channel, Ziggurat},
    concurrency::{self, ConcurrencyLayer, Vegas},
    core::{Http, InvalidSetting},
    deadline,
    limit::{ByAddress, KeyedLimitLayer, Rate},
    server::{Drained, Lifecycle, ServerLayer, Settings},
};

/// What can be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Requests a second, and at once, of each client.
    pub(crate) limit: NonZeroU32,
    /// How long requests may take whose clients say nothing.
    pub(crate) timeout: Duration,
    /// How long `/readyz` says no before it stops to listen.
    pub(crate) grace: Duration,
}

/// A gateway that serves.
#[derive(Debug)]
pub(crate) struct App {
    address: SocketAddr,
    lifecycle: Lifecycle,
    server: JoinSet<io::Result<()>>,
}

/// What the routes are given: a channel is cheap to clone, and all clones are one.
#[derive(Clone, Debug)]
struct Gateway {
    greeter: Channel,
    news: Channel,
    lifecycle: Lifecycle,
}

const LIMIT: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// The most that it ever serves at once.
const AT_ONCE: u32 = 1_000;
/// In which clients say how long they wait, in milliseconds.
const TIMEOUT: HeaderName = HeaderName::from_static("x-timeout-ms");
/// Nobody waits longer, whatever they say; and no stream of events is longer.
const CEILING: Duration = Duration::from_secs(60);

// === impl App ===

impl App {
    /// Serves there, or on any port of this machine.
    pub(crate) async fn start(
        ziggurat: &Ziggurat,
        listen: Option<SocketAddr>,
        options: Options,
    ) -> Result<Self, io::Error> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(listen.unwrap_or(any)).await?;
        let address = listener.local_addr()?;
        let lifecycle = Lifecycle::new(Settings::new().grace(options.grace));
        let gateway = Gateway {
            greeter: ziggurat.channel("greeter"),
            news: ziggurat.channel("news"),
            lifecycle: lifecycle.clone(),
        };
        let router = router(gateway, options).map_err(io::Error::other)?;
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(lifecycle.closing());
        let server = lifecycle.run(server);
        let mut task = JoinSet::new();
        task.spawn(async move { server.await.map_err(io::Error::other)? });
        Ok(Self {
            address,
            lifecycle,
            server: task,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it in order, and waits for its last connection.
    pub(crate) async fn stop(mut self) -> Result<Drained, io::Error> {
        let drained = self.lifecycle.shutdown().await;
        while let Some(ended) = self.server.join_next().await {
            ended??;
        }
        Ok(drained)
    }
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: LIMIT,
            timeout: Duration::from_secs(2),
            grace: Duration::from_secs(1),
        }
    }
}

/// What users may ask for stands behind the layer; what operators ask for does not.
fn router(gateway: Gateway, options: Options) -> Result<Router, InvalidSetting> {
    let Options { limit, timeout, .. } = options;
    let client = ByAddress::of_peer(|connection| {
        let peer = connection.get::<ConnectInfo<SocketAddr>>();
        peer.map(|peer| peer.0.ip())
    });
    let rate = Rate::per_second(limit.get())?.burst(limit.get())?;
    // Browsers call here: what they say in headers of ours is not believed.
    let layer = ServerLayer::edge()
        .lifecycle(&gateway.lifecycle)
        .x_trace_id(true)
        .deadline(deadline::Settings::new(timeout)?.at_most(CEILING)?)
        .deadline_header(TIMEOUT)
        .rate_limit(KeyedLimitLayer::new(client, rate).observe_with(metrics::Counts))
        .observe_answers_with(metrics::Counts)
        .observe_deadlines_with(metrics::Counts);
    // The same limit, and more time: a stream is one request, to its last event.
    let streams = layer.clone().deadline(deadline::Settings::new(CEILING)?);

    // As many at once as it is quick with; what finds no place within a moment is told to come back.
    let at_once = concurrency::Settings::new(AT_ONCE)?.queue(AT_ONCE)?;
    let at_once = ConcurrencyLayer::new(at_once).adaptive(Vegas::default());
    let answers = Router::new()
        .route("/greetings", post(routes::greet))
        .layer(layer.concurrency(at_once.classify_with(Http)));
    let streams = Router::new()
        .route("/news/{topic}/{count}", get(routes::news))
        .layer(streams);
    metrics::install();
    Ok(answers
        .merge(streams)
        .layer(middleware::map_response(refusal::retry_after))
        .layer(middleware::from_fn(metrics::measure))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(routes::ready))
        .route("/metrics", get(routes::metrics))
        .with_state(gateway))
}
