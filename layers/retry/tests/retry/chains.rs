//! Services that call services, each of which would try again.

use crate::kit::*;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use ziggurat_core::BoxError;
use ziggurat_retry::{ReplayBody, RetryLayer, Settings, chain, chain::ChainLayer};
use ziggurat_testkit::{HttpScript, ScriptBody, Step, tonic};

type Wire = Request<Full<Bytes>>;
type Server = BoxCloneService<Wire, Response<ScriptBody>, BoxError>;

/// A request as it comes off the wire: nothing but its headers and its body.
async fn wire(request: Request<ReplayBody<Full<Bytes>>>) -> Result<Wire, BoxError> {
    let (mut head, body) = request.into_parts();
    head.extensions.clear();
    let body = body.collect().await?.to_bytes();
    Ok(Request::from_parts(head, Full::from(body)))
}

/// A service whose handler calls `below` and makes up a status of its own when that fails.
fn storey(below: Server, settings: Settings) -> Server {
    let client = RetryLayer::new(settings).layer(below_of(below));
    let handler = move |request: Wire| {
        let client = client.clone();
        async move {
            // What goes out is a new request: no header of the old one.
            let mut call = post();
            *call.body_mut() = request.into_body();
            let response = client.oneshot(call).await?;
            Ok::<_, BoxError>(match status(&response) {
                "0" => response,
                _ => answer("14"),
            })
        }
    };
    let service = ServiceBuilder::new()
        .map_response(|response: Response<chain::Body<ScriptBody>>| {
            response.map(|_| ScriptBody::default())
        })
        .layer(ChainLayer::new())
        .service(service_fn(handler));
    BoxCloneService::new(service)
}

fn below_of(
    below: Server,
) -> impl tower::Service<
    Request<ReplayBody<Full<Bytes>>>,
    Response = Response<ScriptBody>,
    Error = BoxError,
    Future: Send,
> + Clone {
    service_fn(move |request| {
        let below = below.clone();
        async move { below.oneshot(wire(request).await?).await }
    })
}

fn leaf(answer: fn() -> Result<Response<ScriptBody>, BoxError>) -> (Server, Arc<AtomicUsize>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let service = service_fn(move |_: Wire| {
        count.fetch_add(1, Relaxed);
        std::future::ready(answer())
    });
    (BoxCloneService::new(service), arrived)
}

/// Calls through so many storeys at 100 % failure; how many arrive at the leaf.
async fn arriving(storeys: usize, settings: Settings, calls: usize) -> usize {
    let (mut house, arrived) = leaf(|| Ok(answer("14")));
    for _ in 1..storeys {
        house = storey(house, settings);
    }
    let client = RetryLayer::new(settings).layer(below_of(house));
    for _ in 0..calls {
        let response = client.clone().oneshot(post()).await.unwrap();
        assert_eq!(status(&response), "14");
        tokio::time::sleep(MS).await;
    }
    arrived.load(Relaxed)
}

#[tokio::test(start_paused = true)]
async fn four_hops_at_full_failure_load_the_leaf_by_the_budget_of_one() {
    let by_ratio = settings().budget(0.2, 0).unwrap();
    let four = arriving(4, by_ratio, 1_000).await;
    assert!((1_000..=1_200).contains(&four), "{four}");
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_four_hops_make_no_more_attempts_than_one() {
    let rich = settings().budget(4.0, 5_000).unwrap();
    assert_eq!(arriving(4, rich, 20).await, 20 * 5);
    // What it saves: five attempts each, four storeys deep.
    let loose = rich.chain_stop(false);
    assert_eq!(arriving(4, loose, 20).await, 20 * 5);
}

/// A handler that never heard of a call that it makes: the call fails half way.
#[tokio::test(start_paused = true)]
async fn what_serves_a_further_attempt_is_made_once_and_says_so_below() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Notes::default();
    let inner = script([Step::trailers_only(tonic::Code::Unavailable)]);
    let client = RetryLayer::new(settings())
        .observe_with(notes.clone())
        .layer(inner.clone());
    let handler = {
        let seen = Arc::clone(&seen);
        move |request: Wire| {
            let (client, seen) = (client.clone(), Arc::clone(&seen));
            async move {
                let chain = chain::current().unwrap();
                let told = request.extensions().get::<chain::Chain>().unwrap();
                assert_eq!(told.is_again(), chain.is_again());
                seen.lock().unwrap().push(chain.is_again());
                client.oneshot(post()).await
            }
        }
    };
    let server = ServiceBuilder::new()
        .layer(ChainLayer::new())
        .service(service_fn(handler));
    for (header, again) in [
        (None, false),
        (Some(("grpc-previous-rpc-attempts", "1")), true),
        (Some(("grpc-previous-rpc-attempts", "0")), false),
        (Some(("ziggurat-chain-stop", "1")), true),
    ] {
        let before = inner.calls();
        let mut request = post();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = server.clone().oneshot(request).await.unwrap();
        let calls = if again { 1 } else { 5 };
        assert_eq!(inner.calls() - before, calls, "{header:?}");
        assert_eq!(seen.lock().unwrap().pop(), Some(again));
        let below = &inner.seen()[before].headers;
        assert_eq!(below.contains_key("ziggurat-chain-stop"), again);
        // Whoever was not allowed to try again has not given up: the caller may go on.
        let never = response.headers().contains_key("grpc-retry-pushback-ms");
        assert_eq!(never, !again);
        let last = notes.take().pop().unwrap();
        assert_eq!(last, if again { "chained" } else { "exhausted 5" });
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_server_has_seen_is_sent_again_for_a_further_attempt_too() {
    use ziggurat_core::{Rejection, Sent};
    let refused = || Rejection::undelivered("refused", Sent::Never);
    let inner = script([Step::fail(refused()), Step::grpc("fine")]);
    let client = retry(&inner);
    let call = chain::Chain::new(true).scope(client.oneshot(post()));
    assert_eq!(call.await.unwrap().status(), 200);
    assert_eq!(inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_plain_http_retry_marks_its_further_attempts() {
    let unavailable = Step::html(http::StatusCode::SERVICE_UNAVAILABLE);
    let inner = HttpScript::new([unavailable, Step::grpc("fine")]).reading_bodies();
    let service = RetryLayer::http(settings()).layer(inner.clone());
    service.oneshot(idempotent()).await.unwrap();
    let marked: Vec<_> = inner
        .seen()
        .iter()
        .map(|seen| seen.headers.contains_key("ziggurat-chain-stop"))
        .collect();
    assert_eq!(marked, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_handlers_own_is_marked_and_a_recovery_is_not() {
    let inner = script([Step::trailers_only(tonic::Code::Unavailable)]);
    for (status, says) in [("0", None), ("14", Some("-1")), ("5", Some("-1"))] {
        let client = retry(&inner);
        let server = ServiceBuilder::new()
            .layer(ChainLayer::new())
            .service(service_fn(move |_: Wire| {
                let client = client.clone();
                async move {
                    client.oneshot(post()).await?;
                    Ok::<_, BoxError>(answer(status))
                }
            }));
        let response = server.oneshot(post()).await.unwrap();
        let told = response.headers().get("grpc-retry-pushback-ms");
        assert_eq!(told.map(|value| value.to_str().unwrap()), says, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_spawned_task_and_the_body_of_an_answer_belong_to_the_chain() {
    let chain = chain::Chain::new(true);
    let both = chain.clone().scope(async {
        let lost = spawned(async { chain::current().is_none() }).await;
        let kept = chain::spawn(async { chain::current().is_some_and(|c| c.is_again()) });
        (lost, kept.await.unwrap())
    });
    assert_eq!(both.await, (true, true));
    let frames = asking(|| chain::current().is_some());
    let handler = service_fn(move |_: Wire| {
        let frames = frames.clone();
        async move { Ok::<_, BoxError>(Response::new(frames)) }
    });
    let response = ChainLayer::new().layer(handler).oneshot(post()).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "true");
}

/// `tokio::spawn`, as a handler may use it.
#[allow(clippy::disallowed_methods, reason = "joined at once")]
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(future).await.unwrap()
}

/// A body whose only frame says what `f` says when it is polled.
fn asking(f: fn() -> bool) -> Asking {
    Asking(Some(f))
}

#[derive(Clone)]
struct Asking(Option<fn() -> bool>);

impl http_body::Body for Asking {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        let frame = self.0.take().map(|f| Bytes::from(f().to_string()));
        std::task::Poll::Ready(frame.map(|data| Ok(http_body::Frame::data(data))))
    }
}
