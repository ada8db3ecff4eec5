//! Endpoints that say how loaded they are, in the trailers of their answers, on a paused clock.

use crate::feed::{Node, found};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};
use tower::{Layer, Service, ServiceExt};
use ziggurat_balance::{
    Balance, BalanceLayer, LoadReport, LoadReports, MalformedReport, Observer, ReportBody,
    ReportLayer, RoundRobin,
};
use ziggurat_core::{BoxError, Dice, EndpointId, Grpc, State};

type TestBody = UnsyncBoxBody<Bytes, BoxError>;
type Balanced = Balance<Node<Server>, Grpc, RoundRobin>;

/// A server that can answer so many calls a second, and says how close to that it is.
#[derive(Clone)]
struct Server(Arc<About>);

struct About {
    capacity: f64,
    /// The calls of the last second.
    recent: Mutex<VecDeque<Instant>>,
    calls: AtomicUsize,
    says: Mutex<Says>,
}

#[derive(Clone, Copy, PartialEq)]
enum Says {
    Its,
    Nothing,
    Nonsense,
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

const RATE: f64 = 300.0;
const SECOND: Duration = Duration::from_secs(1);

// === impl Server ===

impl Server {
    fn new(capacity: f64) -> Self {
        Self(Arc::new(About {
            capacity,
            recent: Mutex::default(),
            calls: AtomicUsize::new(0),
            says: Mutex::new(Says::Its),
        }))
    }

    fn say(&self, what: Says) {
        *self.0.says.lock().unwrap() = what;
    }

    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    fn trailers(&self) -> HeaderMap {
        let now = Instant::now();
        let mut recent = self.0.recent.lock().unwrap();
        recent.push_back(now);
        while recent.front().is_some_and(|then| now - *then >= SECOND) {
            recent.pop_front();
        }
        let qps = recent.len() as f64;
        let report = LoadReport::new(qps).cpu_utilization(qps / self.0.capacity);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        match *self.0.says.lock().unwrap() {
            Says::Its => drop(trailers.insert(LoadReport::HEADER, report.to_header())),
            Says::Nonsense => {
                let nonsense = HeaderValue::from_static("none of your business");
                trailers.insert(LoadReport::HEADER, nonsense);
            }
            Says::Nothing => {}
        }
        trailers
    }
}

impl Service<Request<()>> for Server {
    type Response = Response<TestBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let server = self.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let trailers = server.trailers();
            let body = Full::from("answer").map_err(|never| match never {});
            let body = body.with_trailers(async { Some(Ok(trailers)) });
            let mut response = Response::new(body.boxed_unsync());
            let content_type = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert("content-type", content_type);
            Ok(response)
        })
    }
}

impl Observer for Count {
    fn report_malformed(&self, _: &EndpointId, error: MalformedReport) {
        assert_eq!(error.to_string(), "malformed load report: no base64");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn nodes(servers: &[Server]) -> Vec<Node<Server>> {
    let named = servers.iter().enumerate();
    named
        .map(|(n, server)| Node::new(&format!("e{n}"), server.clone()))
        .collect()
}

/// The policy with a seed, so that a run replays.
fn layer() -> BalanceLayer<Grpc, RoundRobin> {
    BalanceLayer::new(RoundRobin::by_load(LoadReports::new()).dice(Dice::seeded(58)))
}

/// Sends calls for so long, and answers which share of them went to each.
async fn drive(service: &Balanced, servers: &[Server], length: Duration) -> Vec<f64> {
    let dice = Dice::seeded(51);
    let before: Vec<_> = servers.iter().map(Server::calls).collect();
    let mut calls = JoinSet::new();
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < length {
        let service = service.clone();
        calls.spawn(async move {
            let answer = service.oneshot(Request::new(())).await.unwrap();
            let mut body = answer.into_body();
            while body.frame().await.is_some() {}
        });
        while calls.try_join_next().is_some() {}
        next += Duration::from_secs_f64(-(1.0 - dice.fraction()).ln() / RATE);
        tokio::time::sleep_until(next).await;
    }
    calls.join_all().await;
    let gone = servers.iter().zip(&before);
    let gone: Vec<_> = gone
        .map(|(server, before)| (server.calls() - before) as f64)
        .collect();
    let all: f64 = gone.iter().sum();
    gone.iter().map(|gone| gone / all).collect()
}

fn assert_near(shares: &[f64], wanted: &[f64]) {
    println!("{shares:?}");
    for (share, wanted) in shares.iter().zip(wanted) {
        assert!((share - wanted).abs() < 0.02, "{shares:?}, not {wanted:?}");
    }
}

fn load_weights(service: &Balanced) -> Vec<Option<f64>> {
    let views = service.endpoints();
    views.iter().map(|view| view.load_weight()).collect()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_half_as_strong_gets_half_the_load() {
    let servers = [1_000.0, 1_000.0, 500.0].map(Server::new);
    let (_feeder, feed) = found(nodes(&servers));
    let service = layer().layer(feed);
    // Through the blackout period all are called alike.
    let shares = drive(&service, &servers, 9 * SECOND).await;
    assert_near(&shares, &[1.0 / 3.0; 3]);
    assert_eq!(load_weights(&service), [None; 3]);
    drive(&service, &servers, 3 * SECOND).await;
    let shares = drive(&service, &servers, 20 * SECOND).await;
    assert_near(&shares, &[0.4, 0.4, 0.2]);
    for (weight, capacity) in load_weights(&service)
        .into_iter()
        .zip([1_000.0, 1_000.0, 500.0])
    {
        assert!((weight.unwrap() - capacity).abs() < 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_counted_and_passed_over() {
    let servers = [1_000.0, 500.0, 500.0].map(Server::new);
    servers[0].say(Says::Nonsense);
    let (_feeder, feed) = found(nodes(&servers));
    let count = Count::default();
    let service = layer().observe_with(count.clone()).layer(feed);
    drive(&service, &servers, 12 * SECOND).await;
    let shares = drive(&service, &servers, 10 * SECOND).await;
    // It counts as the mean of the others.
    assert_near(&shares, &[1.0 / 3.0; 3]);
    assert_eq!(count.0.load(Ordering::Relaxed), servers[0].calls());
}

#[tokio::test(start_paused = true)]
async fn weights_expire_when_nobody_reports_any_more() {
    let servers = [1_000.0, 250.0].map(Server::new);
    let (feeder, feed) = found(nodes(&servers));
    let service = layer().layer(feed);
    drive(&service, &servers, 12 * SECOND).await;
    // Calls are shared out anew also when no more endpoints will ever be found.
    drop(feeder);
    servers.iter().for_each(|server| server.say(Says::Nothing));
    let shares = drive(&service, &servers, 10 * SECOND).await;
    assert_near(&shares, &[0.8, 0.2]);
    tokio::time::sleep(180 * SECOND).await;
    let shares = drive(&service, &servers, 10 * SECOND).await;
    assert_near(&shares, &[0.5, 0.5]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_ejected_starts_slowly_and_is_believed_after_another_blackout() {
    let servers = [1_000.0, 1_000.0, 250.0].map(Server::new);
    let nodes = nodes(&servers);
    let (_feeder, feed) = found(nodes.clone());
    let service = layer().layer(feed);
    drive(&service, &servers, 15 * SECOND).await;
    nodes[2].eject();
    let shares = drive(&service, &servers, 10 * SECOND).await;
    assert_near(&shares, &[0.5, 0.5, 0.0]);
    nodes[2].heal();
    // A tenth of the mean's share at first, however little it has been called.
    let shares = drive(&service, &servers, SECOND).await;
    assert!(shares[2] > 0.0 && shares[2] < 0.1, "{shares:?}");
    assert_eq!(load_weights(&service)[2], None);
    assert_eq!(service.endpoints()[2].state(), State::Ready);
    drive(&service, &servers, 12 * SECOND).await;
    assert!(load_weights(&service)[2].is_some());
    let shares = drive(&service, &servers, 20 * SECOND).await;
    assert_near(&shares, &[4.0 / 9.0, 4.0 / 9.0, 1.0 / 9.0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_left_and_came_back_is_believed_after_another_blackout() {
    let servers = [1_000.0, 1_000.0, 250.0].map(Server::new);
    let nodes = nodes(&servers);
    let (feeder, feed) = found(nodes.clone());
    let service = layer().layer(feed);
    drive(&service, &servers, 15 * SECOND).await;
    assert!(load_weights(&service)[2].is_some());
    // Restarted, as far as anybody knows; soon enough for its latency to be remembered.
    feeder.remove("e2");
    drive(&service, &servers, 2 * SECOND).await;
    feeder.insert(nodes[2].clone());
    drive(&service, &servers, 2 * SECOND).await;
    assert_eq!(load_weights(&service)[2], None);
    drive(&service, &servers, 12 * SECOND).await;
    assert!(load_weights(&service)[2].is_some());
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_reports_that_no_policy_wants() {
    let servers = [1_000.0, 250.0].map(Server::new);
    servers[0].say(Says::Nonsense);
    let (_feeder, feed) = found(nodes(&servers));
    let count = Count::default();
    let layer = BalanceLayer::new(RoundRobin::weighted()).observe_with(count.clone());
    let service = layer.layer(feed);
    let shares = drive(&service, &servers, 15 * SECOND).await;
    assert_near(&shares, &[0.5, 0.5]);
    assert_eq!(load_weights(&service), [None, None]);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_server_reports_in_trailers_or_else_in_headers_and_only_once() {
    let own = LoadReport::new(7.0);
    let trailers = |report: Option<LoadReport>| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        if let Some(report) = report {
            trailers.insert(LoadReport::HEADER, report.to_header());
        }
        trailers
    };
    let layer = ReportLayer::new(|| LoadReport::new(1.0));
    for (at_the_end, at_once, wanted) in [
        (Some(trailers(None)), HeaderMap::new(), [None, Some(1.0)]),
        (
            Some(trailers(Some(own))),
            HeaderMap::new(),
            [None, Some(7.0)],
        ),
        (None, trailers(None), [Some(1.0), None]),
        (None, HeaderMap::new(), [None, None]),
    ] {
        let serve = tower::service_fn(move |()| {
            let trailers = std::future::ready(at_the_end.clone().map(Ok));
            let body = Full::<Bytes>::from("answer").with_trailers(trailers);
            let mut response = Response::new(body);
            *response.headers_mut() = at_once.clone();
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let answer = layer.layer(serve).oneshot(()).await.unwrap();
        let read = |headers: &HeaderMap| LoadReport::read(headers).unwrap();
        let head = read(answer.headers());
        let whole = answer.into_body().collect().await.unwrap();
        let end = whole.trailers().and_then(read);
        assert_eq!([head, end], wanted.map(|qps| qps.map(LoadReport::new)));
        assert_eq!(whole.to_bytes(), "answer");
    }
    assert!(ReportBody::<Full<Bytes>, fn() -> LoadReport>::default().is_end_stream());
}
