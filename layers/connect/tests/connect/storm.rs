//! Many calls at once on several threads, dropped at any point, while servers come and go.

use crate::{
    server::{Piped, Server, ok, pipe, put, read_all, upload},
    support::{MS, eventually, make, quick, sent, until},
};
use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, SendResponse},
};
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Handle, task::JoinSet};
use tower::ServiceExt;
use ziggurat_connect::{Body, Connection, Connector, Settings};
use ziggurat_core::{BoxError, Dice, Endpoint, Sent, State};

const TASKS: usize = 64;
const CALLS: usize = 50 * TASKS;
const STREAMS: u32 = 10;
/// Enough to fill windows, in pieces.
const PIECES: usize = 6;
const PIECE: usize = 5_000;

/// Answers with what it was sent; says GOAWAY after so many calls.
async fn serve(listener: TcpListener, calls: usize) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut builder = Builder::new();
            builder
                .max_concurrent_streams(STREAMS)
                .max_concurrent_reset_streams(10_000)
                .max_pending_accept_reset_streams(10_000);
            let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else {
                return;
            };
            let (mut came, mut answers) = (0, JoinSet::new());
            while let Some(Ok((request, respond))) = connection.accept().await {
                answers.spawn(echo(request, respond));
                came += 1;
                if came == calls {
                    connection.graceful_shutdown();
                }
            }
            // Closed with something unread, the socket would take back what is still on its way.
            tokio::time::sleep(5_000 * MS).await;
        });
    }
}

async fn echo(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut answer = respond.send_response(ok(), false)?;
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        // Of those h2 takes a hundred, and ends the connection.
        if !data.is_empty() {
            answer.send_data(data, false)?;
        }
    }
    answer.send_trailers(HeaderMap::new())
}

/// What is sent.
enum Load {
    Small(Full<Bytes>),
    /// In pieces, of which some come later.
    Slow(usize),
    Piped(Piped),
}

impl http_body::Body for Load {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polls = match &mut *self {
            Self::Small(full) => {
                let frame = Pin::new(full).poll_frame(cx);
                return frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)));
            }
            Self::Piped(piped) => return Pin::new(piped).poll_frame(cx),
            Self::Slow(polls) => polls,
        };
        *polls += 1;
        if polls.is_multiple_of(2) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = (*polls <= 2 * PIECES).then(|| Frame::data(vec![7; PIECE].into()));
        Poll::Ready(piece.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Small(full) if full.is_end_stream())
    }
}

fn small_or_slow(n: u64) -> Request<Load> {
    let body = if n.is_multiple_of(3) {
        Load::Slow(0)
    } else {
        Load::Small(Full::from(&b"well"[..]))
    };
    Request::post("/echo").body(body).unwrap()
}

/// To the end: what was sent comes back.
async fn whole(connection: Connection<Load>, request: Request<Load>) -> Result<(), BoxError> {
    let length = match request.body() {
        Load::Small(_) => 4,
        Load::Slow(_) | Load::Piped(_) => PIECES * PIECE,
    };
    let body = connection.oneshot(request).await?.into_body();
    let body = body.collect().await?;
    assert!(body.trailers().is_some());
    assert_eq!(body.to_bytes().len(), length);
    Ok(())
}

/// As far as so many polls bring it.
async fn part(
    call: impl Future<Output = Result<(), BoxError>>,
    mut polls: usize,
) -> Option<Result<(), BoxError>> {
    let mut call = pin!(call);
    std::future::poll_fn(|cx| {
        polls = polls.saturating_sub(1);
        match call.as_mut().poll(cx) {
            Poll::Pending if polls == 0 => Poll::Ready(None),
            ended => ended.map(Some),
        }
    })
    .await
}

/// How many calls failed; none that may have been processed.
async fn storm(calls_each: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(serve(listener, calls_each));
    let settings: Settings = quick().windows(65_535, 65_535).unwrap();
    let connection = make(Connector::new(settings), address).await;
    until(&connection, State::Ready).await;
    let failed = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS as u64 {
        let (connection, failed) = (connection.clone(), Arc::clone(&failed));
        tasks.spawn(async move {
            let dice = Dice::seeded(task);
            for n in 0..(CALLS / TASKS) as u64 {
                let call = whole(connection.clone(), small_or_slow(n));
                let ended = if dice.below(3) == 0 {
                    part(call, 1 + dice.below(8)).await
                } else {
                    Some(call.await)
                };
                if let Some(Err(error)) = ended {
                    assert_ne!(sent(&error), Sent::Unknown, "{error:?}");
                    failed.fetch_add(1, Relaxed);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    all_streams_are_free(&connection).await;
    drop(connection);
    server.shutdown().await;
    failed.load(Relaxed)
}

/// As many calls as there are streams may be open at once.
async fn all_streams_are_free(connection: &Connection<Load>) {
    let mut held = Vec::new();
    for _ in 0..STREAMS - 1 {
        let (pipe, body) = pipe();
        let request = upload(body).map(Load::Piped);
        held.push((pipe, connection.clone().oneshot(request).await.unwrap()));
    }
    whole(connection.clone(), small_or_slow(1)).await.unwrap();
}

async fn calm(tasks: usize) {
    let metrics = Handle::current().metrics();
    eventually(|| metrics.num_alive_tasks() <= tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_calls_and_drops_loses_no_call_and_no_stream() {
    let storm = async {
        let before = Handle::current().metrics().num_alive_tasks();
        assert_eq!(storm(usize::MAX).await, 0, "nobody may fail");
        calm(before).await;
    };
    tokio::time::timeout(Duration::from_secs(100), storm)
        .await
        .expect("it hangs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_over_servers_that_say_goodbye_loses_no_call() {
    let storm = async {
        let before = Handle::current().metrics().num_alive_tasks();
        assert_eq!(storm(50).await, 0, "nobody may fail");
        calm(before).await;
    };
    tokio::time::timeout(Duration::from_secs(100), storm)
        .await
        .expect("it hangs");
}

#[tokio::test]
async fn bodies_that_are_dropped_half_way_give_the_window_of_the_connection_back() {
    let test = async {
        let mut server = Server::start(Builder::new()).await;
        let settings = quick().windows(65_535, 65_535).unwrap();
        let connection = make(Connector::new(settings), server.address).await;
        until(&connection, State::Ready).await;
        for n in 0..40 {
            let (pipe, body) = pipe();
            // With and without a task that goes on with the request.
            let pipe = (n % 2 == 0).then_some(pipe);
            let call = connection.clone().oneshot(upload(body));
            let answer = async {
                let (request, mut respond) = server.came().await;
                let mut answer = respond.send_response(ok(), false).unwrap();
                answer.send_data(vec![0; 60_000].into(), false).unwrap();
                (request, answer)
            };
            let (response, (_request, _answer)) = tokio::join!(call, answer);
            let mut body = response.unwrap().into_body();
            if n % 3 > 0 {
                let frame = body.frame().await.unwrap().unwrap();
                assert!(frame.is_data());
            }
            drop((body, pipe));
        }
        let (_, body) = pipe();
        let call = connection.clone().oneshot(upload(body));
        let answer = async {
            let (_, mut respond) = server.came().await;
            let mut answer = respond.send_response(ok(), false).unwrap();
            answer.send_data(vec![0; 1 << 20].into(), true).unwrap();
        };
        let (response, ()) = tokio::join!(call, answer);
        let body = response.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes().len(), 1 << 20);
    };
    crate::support::bounded(test).await;
}

#[tokio::test]
async fn much_goes_both_ways_through_the_smallest_windows() {
    const BYTES: usize = 10 << 20;
    let test = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, usize::MAX));
        let settings = quick().windows(65_535, 65_535).unwrap();
        let connection = make(Connector::new(settings), address).await;
        let (pipe, body) = pipe();
        let fill = async move {
            for _ in 0..BYTES / (64 << 10) {
                put(&pipe, vec![1; 64 << 10]).await;
            }
        };
        let call = async {
            let body = connection.oneshot(upload(body)).await.unwrap().into_body();
            body.collect().await.unwrap().to_bytes().len()
        };
        let ((), came) = tokio::join!(fill, call);
        assert_eq!(came, BYTES);
    };
    crate::support::bounded(test).await;
}

/// Panics at its first frame.
struct Bomb(Piped);

impl http_body::Body for Bomb {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let _ = ready!(Pin::new(&mut self.0).poll_frame(cx));
        panic!("on purpose");
    }
}

#[tokio::test]
async fn a_body_that_panics_takes_nobody_with_it() {
    let test = async {
        let mut builder = Builder::new();
        builder.max_concurrent_streams(1);
        let mut server = Server::start(builder).await;
        let connection = make(Connector::new(quick()), server.address).await;
        until(&connection, State::Ready).await;
        for answered in [false, true, false, true] {
            let (pipe, body) = pipe();
            let call = connection.clone().oneshot(upload(body).map(Bomb));
            #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
            let call = tokio::spawn(call);
            let (mut request, mut respond) = server.came().await;
            if answered {
                let _answer = respond.send_response(ok(), false).unwrap();
                let mut response: Response<Body> = call.await.unwrap().unwrap();
                put(&pipe, "now").await;
                assert!(response.frame().await.unwrap().is_err());
            } else {
                put(&pipe, "now").await;
                assert!(call.await.unwrap_err().is_panic());
            }
            read_all(request.body_mut()).await.unwrap_err();
        }
        assert!(connection.availability().is_ready());
    };
    crate::support::bounded(test).await;
}

#[tokio::test]
async fn a_call_may_be_polled_by_one_and_awaited_by_another_at_any_point() {
    let test = async {
        let mut server = Server::start(Builder::new()).await;
        let connection = make(Connector::new(quick()), server.address).await;
        // By nobody: before there is a connection, and with the answer outstanding.
        let (pipe, body) = pipe();
        let mut call = Box::pin(connection.clone().oneshot(upload(body)));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut nobody).is_pending());
        // By one who is woken until it was sent.
        let mut came = pin!(server.came());
        let (mut request, mut respond) = std::future::poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            came.as_mut().poll(cx)
        })
        .await;
        assert!(call.as_mut().poll(&mut nobody).is_pending());
        let call = async move { call.await.unwrap() };
        let rest = async {
            tokio::time::sleep(5 * MS).await;
            put(&pipe, "first").await;
            crate::server::read(request.body_mut(), 5).await;
            respond.send_response(ok(), false).unwrap()
        };
        let (response, mut answer) = tokio::join!(call, rest);
        // And so the body of the answer, and the request in its task.
        let mut body = response.into_body();
        assert!(Pin::new(&mut body).poll_frame(&mut nobody).is_pending());
        put(&pipe, "second").await;
        crate::server::read(request.body_mut(), 6).await;
        let told = async {
            tokio::time::sleep(5 * MS).await;
            answer.send_data(Bytes::from("told"), true).unwrap();
        };
        let (frame, ()) = tokio::join!(body.frame(), told);
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "told");
    };
    crate::support::bounded(test).await;
}
