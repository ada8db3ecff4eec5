//! Not on the path of a call: endpoints come and go, and the balancer follows.

use futures_util::{Stream, stream};
use std::{
    collections::VecDeque, convert::Infallible, fmt::Debug, sync::Arc, task::Poll, time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc};
use tower::{BoxError, Layer, Service, discover::Change, service_fn};
use ziggurat_balance::{Balance, BalanceLayer, ForeignEndpoint, Observer};
use ziggurat_benches::{Board, Noop, weigh};
use ziggurat_core::{ByResult, EndpointId, Named};

const ENDPOINTS: usize = 10_000;

type Endpoint = ForeignEndpoint<Noop>;
type Changes = Vec<Change<EndpointId, Endpoint>>;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("balance", "one of 10000 changes")
        .alone("ziggurat", || following(1));
    board
        .section::<u64>("balance", "all of 10000 change at once")
        .alone("ziggurat", || following(ENDPOINTS));
}

/// Says what it is told to.
struct Told<S>(S);

/// Tells how many endpoints there are, whenever that may have changed.
struct Tell(mpsc::UnboundedSender<usize>);

// === impl Told ===

impl<S> Named for Told<S> {
    fn service(&self) -> &str {
        "users"
    }
}

impl<S: Stream + Unpin> Stream for Told<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<S::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx)
    }
}

// === impl Tell ===

impl Observer for Tell {
    fn published(&self, _: &str, endpoints: usize) {
        // Nobody listens once the row is done.
        _ = self.0.send(endpoints);
    }
}

/// Each call makes so many changes, half of which remove an endpoint that the other half brings back,
/// and is answered when calls see all of them.
fn following(changes: usize) -> impl Service<u64, Error: Debug, Future: Send> + Send + 'static {
    let (say, told) = mpsc::unbounded_channel::<Changes>();
    let (tell, mut published) = mpsc::unbounded_channel();
    let ((all, service), bytes) = weigh(|| {
        let all: Arc<[Endpoint]> = (0..ENDPOINTS).map(endpoint).collect();
        let service = balanced(told, Tell(tell));
        let inserts = all.iter().cloned().map(insert);
        say.send(inserts.collect()).expect("it is followed");
        Handle::current().block_on(async {
            let patience = Duration::from_secs(10);
            service
                .wait_until_ready(patience)
                .await
                .expect("all are ready");
            while published
                .recv()
                .await
                .is_some_and(|count| count < ENDPOINTS)
            {}
        });
        (all, service)
    });
    if changes == 1 {
        let each = bytes as f64 / ENDPOINTS as f64;
        println!("\n{each:.0} bytes for each of {ENDPOINTS} endpoints that are known");
    }
    let (mut nth, published) = (0, Arc::new(tokio::sync::Mutex::new(published)));
    service_fn(move |_: u64| {
        // Alone, a change is now a removal and now an insertion.
        let half = changes.div_ceil(2);
        let some = (0..half).map(|n| &all[(nth / 2 * 7 + n) % ENDPOINTS]);
        let removes = nth % 2 == 0 || changes > 1;
        let inserts = nth % 2 == 1 || changes > 1;
        let mut said = Changes::with_capacity(changes);
        if removes {
            said.extend(some.clone().map(remove));
        }
        if inserts {
            said.extend(some.cloned().map(insert));
        }
        let missing = usize::from(!inserts);
        nth += 1;
        let (say, published) = (say.clone(), Arc::clone(&published));
        // The balancer ends with its last clone.
        let service = service.clone();
        async move {
            say.send(said)?;
            let mut published = published.lock().await;
            while published.recv().await != Some(ENDPOINTS - missing) {}
            drop(service);
            Ok::<_, BoxError>(())
        }
    })
}

fn balanced(mut told: mpsc::UnboundedReceiver<Changes>, tell: Tell) -> Balance<Endpoint, ByResult> {
    let mut changes = VecDeque::new();
    let found = stream::poll_fn(move |cx| {
        while changes.is_empty() {
            match told.poll_recv(cx) {
                Poll::Ready(Some(said)) => changes.extend(said),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(changes.pop_front().map(Ok::<_, Infallible>))
    });
    BalanceLayer::p2c()
        .classify_with(ByResult)
        .observe_with(tell)
        .layer(Told(found))
}

fn endpoint(nth: usize) -> Endpoint {
    ForeignEndpoint::new(
        EndpointId::new(format!("10.0.{}.{}:50051", nth / 250, nth % 250)),
        Noop,
    )
}

fn insert(endpoint: Endpoint) -> Change<EndpointId, Endpoint> {
    Change::Insert(id(&endpoint), endpoint)
}

fn remove(endpoint: &Endpoint) -> Change<EndpointId, Endpoint> {
    Change::Remove(id(endpoint))
}

fn id(endpoint: &Endpoint) -> EndpointId {
    ziggurat_core::Endpoint::id(endpoint).clone()
}
