//! The layers of a channel put on one after the other: what each costs where it stands.

use super::{
    bare_h2,
    subject::{Problem, Subject},
};
use bytes::Bytes;
use http::{Request, Response, Uri, uri::Parts};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    fmt::Debug,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpStream, task::JoinSet};
use tonic::body::Body;
use tower::{Service, ServiceBuilder, ServiceExt, layer::util::Identity, service_fn};
use ziggurat_balance::BalanceLayer;
use ziggurat_breaker::BreakerLayer;
use ziggurat_connect::Connector;
use ziggurat_core::{Instance, State};
use ziggurat_deadline::DeadlineLayer;
use ziggurat_discover::{DiscoverLayer, Fixed};
use ziggurat_health::HealthLayer;
use ziggurat_retry::RetryLayer;
use ziggurat_testkit::EchoClient;
use ziggurat_trace::TraceLayer;

const SERVICE: &str = "echo";
const LIMIT: Duration = Duration::from_secs(30);

/// From a round robin over bare connections of hyper's, and of h2's, up to all layers of a channel.
pub(crate) async fn rungs(addresses: &[SocketAddr]) -> Result<Vec<Subject>, Problem> {
    let mut instances = Vec::new();
    for address in addresses {
        instances.push(Instance::at(SERVICE, *address)?);
    }
    let limit = ziggurat_deadline::Settings::new(LIMIT)?;
    let retry = ziggurat_retry::Settings::default().enforce_deadline(false);
    // Every rung is of a type of its own, and has connections of its own.
    macro_rules! rung {
        ($name:literal, $health:expr $(, $layer:expr)*) => {{
            let pick = ServiceBuilder::new()
                .layer(BalanceLayer::p2c())
                .layer(DiscoverLayer::new(Fixed::new(instances.clone()), SERVICE))
                .layer($health)
                .service(Connector::default());
            while pick.endpoints().iter().filter(|one| one.state() == State::Ready).count()
                < addresses.len()
            {
                pick.wait_until_ready(LIMIT).await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            generated($name, ServiceBuilder::new()$(.layer($layer))*.service(pick))
        }};
    }
    Ok(vec![
        hyper(addresses).await?,
        bare_h2::rung(addresses).await?,
        connected(&instances).await?,
        rung!("+balance", Identity::new()),
        rung!("+health", HealthLayer::default()),
        rung!(
            "+retry",
            HealthLayer::default(),
            RetryLayer::new(retry).tell(false)
        ),
        rung!(
            "+deadline",
            HealthLayer::default(),
            DeadlineLayer::client(limit).tell(false),
            RetryLayer::new(retry).tell(false)
        ),
        rung!(
            "+breaker",
            HealthLayer::default(),
            BreakerLayer::default(),
            DeadlineLayer::client(limit).tell(false),
            RetryLayer::new(retry).tell(false)
        ),
        rung!(
            "+trace",
            HealthLayer::default(),
            TraceLayer::client().inject(false),
            BreakerLayer::default(),
            DeadlineLayer::client(limit).tell(false),
            RetryLayer::new(retry).tell(false),
            TraceLayer::attempt().x_trace_id(true)
        ),
    ])
}

/// A round robin over connections of hyper's, and nothing else.
pub(super) async fn hyper(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let mut tasks = JoinSet::new();
    let mut senders = Vec::new();
    for address in addresses {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tasks.spawn(async move {
            // Its calls say how it ended.
            _ = connection.await;
        });
        senders.push(sender);
    }
    let (senders, next) = (Arc::new((senders, tasks)), Arc::new(AtomicUsize::new(0)));
    let service = service_fn(move |request: Request<Body>| {
        let senders = &senders.0;
        let turn = next.fetch_add(1, Ordering::Relaxed) % senders.len();
        senders[turn].clone().send_request(addressed(request))
    });
    Ok(generated::<_, Incoming>("hyper", service))
}

/// A round robin over connections of ours.
async fn connected(instances: &[Instance]) -> Result<Subject, Problem> {
    let mut connections = Vec::new();
    for instance in instances {
        let connector = Connector::<Body>::default();
        connections.push(connector.oneshot(instance.clone()).await?);
    }
    let (connections, next) = (Arc::new(connections), Arc::new(AtomicUsize::new(0)));
    let service = service_fn(move |request: Request<Body>| {
        let turn = next.fetch_add(1, Ordering::Relaxed) % connections.len();
        connections[turn].clone().call(request)
    });
    Ok(generated("connect", service))
}

/// The generated client, a clone for every call.
pub(super) fn generated<S, B>(name: &'static str, service: S) -> Subject
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<Problem> + Debug + Send + Sync,
    S::Future: Send,
    B: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Problem> + Send + Sync,
{
    let client = EchoClient::new(service);
    Subject::new(name, move |request| {
        let mut client = client.clone();
        async move { Ok(client.unary(request).await?) }
    })
}

pub(super) fn addressed(request: Request<Body>) -> Request<Body> {
    let (mut head, body) = request.into_parts();
    let mut uri = Parts::from(head.uri);
    uri.scheme = Some(http::uri::Scheme::HTTP);
    uri.authority = Some(http::uri::Authority::from_static(SERVICE));
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    Request::from_parts(head, body)
}
