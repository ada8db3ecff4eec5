#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! Outcomes, read from answers of every kind, to the end of their bodies.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use std::{
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll},
    time::Duration,
};
use ziggurat_core::{
    BoxError, BrokenRequest, ByResult, CallOptions, Carry, Classify, Code, Deadline, Grpc, Http,
    Outcome, Readiness, Record, Recorder, Rejection, Sent, clock, error, expire, expire_read,
};

#[derive(Debug)]
enum Reads {
    Values,
    Grpc,
    Http,
}

type TestBody = UnsyncBoxBody<Bytes, BoxError>;

#[derive(Debug, PartialEq)]
enum Told {
    Responded,
    Settled(Outcome),
}

struct Tell(mpsc::Sender<Told>);

impl Record for Tell {
    fn responded(&mut self) {
        self.0.send(Told::Responded).unwrap();
    }

    fn settle(self, outcome: Outcome) {
        self.0.send(Told::Settled(outcome)).unwrap();
    }
}

fn recorder() -> (Recorder<Tell>, mpsc::Receiver<Told>) {
    let (tell, told) = mpsc::channel();
    (Recorder::new(Tell(tell), None), told)
}

fn status(code: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        ziggurat_core::grpc::STATUS,
        HeaderValue::from_str(code).unwrap(),
    )])
}

fn data() -> Frame<Bytes> {
    Frame::data(Bytes::from_static(b"data"))
}

/// A body of these frames, as they come.
struct Frames(Vec<Result<Frame<Bytes>, BoxError>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let empty = self.0.is_empty();
        Poll::Ready((!empty).then(|| self.0.remove(0)))
    }
}

/// The same, and then nothing.
struct Stalls(Frames);

impl Body for Stalls {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.0).poll_frame(cx) {
            Poll::Ready(None) => Poll::Pending,
            polled => polled,
        }
    }
}

fn answer(headers: HeaderMap, frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Response<TestBody> {
    let mut response = Response::new(Frames(frames).boxed_unsync());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response.headers_mut().extend(headers);
    response
}

async fn grpc_outcome(response: Response<TestBody>) -> Vec<Told> {
    let (recorder, told) = recorder();
    let response = Grpc.observe(Ok(response), recorder).unwrap();
    let _ = response.into_body().collect().await;
    told.iter().collect()
}

#[tokio::test]
async fn a_grpc_status_is_read_wherever_it_stands() {
    let trailers = |code| Ok(Frame::trailers(status(code)));
    let streamed = |outcome| vec![Told::Responded, Told::Settled(outcome)];
    let at_once = |outcome| vec![Told::Settled(outcome)];
    let cut: BoxError = "connection reset".into();
    let late = || -> BoxError { Rejection::decided(Code::DeadlineExceeded, "late").into() };
    for (response, told) in [
        (
            answer(HeaderMap::new(), vec![Ok(data()), trailers("0")]),
            streamed(Outcome::Success),
        ),
        (
            answer(HeaderMap::new(), vec![Ok(data()), trailers("14")]),
            streamed(Outcome::Failure),
        ),
        (
            answer(HeaderMap::new(), vec![trailers("5")]),
            streamed(Outcome::Success),
        ),
        (
            answer(HeaderMap::new(), vec![trailers("4")]),
            streamed(Outcome::Timeout),
        ),
        (
            answer(HeaderMap::new(), vec![trailers("8")]),
            streamed(Outcome::Overload),
        ),
        (
            answer(HeaderMap::new(), vec![trailers("1")]),
            streamed(Outcome::Failure),
        ),
        (
            answer(HeaderMap::new(), vec![trailers("banana")]),
            streamed(Outcome::Failure),
        ),
        (
            answer(HeaderMap::new(), vec![Ok(data())]),
            streamed(Outcome::Failure),
        ),
        (answer(HeaderMap::new(), vec![]), streamed(Outcome::Failure)),
        (
            answer(HeaderMap::new(), vec![Ok(data()), Err(cut)]),
            streamed(Outcome::Failure),
        ),
        (
            answer(HeaderMap::new(), vec![Ok(data()), Err(late())]),
            streamed(Outcome::Timeout),
        ),
        (
            answer(
                HeaderMap::new(),
                vec![Ok(Frame::trailers(HeaderMap::new()))],
            ),
            streamed(Outcome::Failure),
        ),
        (answer(status("14"), vec![]), at_once(Outcome::Failure)),
        (answer(status("3"), vec![]), at_once(Outcome::Success)),
        (answer(status("1"), vec![]), at_once(Outcome::Failure)),
        (answer(status("-1"), vec![]), at_once(Outcome::Failure)),
    ] {
        let shown = format!("{:?}", response.headers());
        assert_eq!(grpc_outcome(response).await, told, "{shown}");
    }
}

/// As a tonic server answers when its own timer ends a call.
#[tokio::test(start_paused = true)]
async fn cancelled_at_the_deadline_by_the_peer_is_a_timeout_and_before_it_a_failure() {
    let second = Duration::from_secs(1);
    let deadline = Deadline::after(second);
    for expected in [Outcome::Failure, Outcome::Timeout] {
        for in_head in [true, false] {
            let (tell, told) = mpsc::channel();
            let recorder = Recorder::new(Tell(tell), Some(deadline));
            let trailers = || vec![Ok(data()), Ok(Frame::trailers(status("1")))];
            let response = match in_head {
                true => answer(status("1"), vec![]),
                false => answer(HeaderMap::new(), trailers()),
            };
            let response = Grpc.observe(Ok(response), recorder).unwrap();
            let _ = response.into_body().collect().await;
            assert_eq!(told.iter().last(), Some(Told::Settled(expected)));
        }
        tokio::time::advance(second).await;
    }
}

#[tokio::test]
async fn what_does_not_speak_grpc_has_failed() {
    let html = |status: u16| {
        let body = Full::new(Bytes::from_static(b"<html>")).map_err(|never| match never {});
        let builder = Response::builder()
            .status(status)
            .header("content-type", "text/html");
        builder.body(body.boxed_unsync()).unwrap()
    };
    for status in [200, 400, 403, 404, 429, 500, 503, 504] {
        let told = grpc_outcome(html(status)).await;
        assert_eq!(told, [Told::Settled(Outcome::Failure)], "{status}");
    }
}

#[tokio::test]
async fn the_grpc_of_browsers_needs_no_trailers_and_is_cut_off_like_any_other() {
    for kind in ["application/grpc-web", "application/grpc-web-text+proto"] {
        let told = async |frames| {
            let mut response = answer(HeaderMap::new(), frames);
            let kind = HeaderValue::from_static(kind);
            response.headers_mut().insert("content-type", kind);
            grpc_outcome(response).await.pop().unwrap()
        };
        let cut_off = || Err(BoxError::from("cut off"));
        for (frames, outcome) in [
            (vec![Ok(data()), Ok(data())], Outcome::Success),
            (vec![Ok(data()), cut_off()], Outcome::Failure),
        ] {
            assert_eq!(told(frames).await, Told::Settled(outcome), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_body_dropped_half_way_was_cancelled() {
    let (recorder, told) = recorder();
    let response = answer(HeaderMap::new(), vec![Ok(data()), Ok(data())]);
    let mut body = Grpc.observe(Ok(response), recorder).unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told, [Told::Responded, Told::Settled(Outcome::Cancelled)]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_its_reader_lets_wait_past_the_deadline_says_nothing_of_the_peer() {
    let second = Duration::from_secs(1);
    for (frames, polls, expected) in [
        (vec![Ok(data()), Ok(data())], 0, Outcome::Cancelled),
        (vec![Ok(data()), Ok(data())], 1, Outcome::Cancelled),
        // The peer is waited for.
        (vec![], 1, Outcome::Timeout),
        (vec![Ok(data())], 2, Outcome::Timeout),
    ] {
        let (tell, told) = mpsc::channel();
        let recorder = Recorder::new(Tell(tell), Some(Deadline::after(second)));
        let response = Response::new(Stalls(Frames(frames)));
        let mut body = Http.observe(Ok(response), recorder).unwrap().into_body();
        for _ in 0..polls {
            std::future::poll_fn(|cx| {
                drop(Pin::new(&mut body).poll_frame(cx));
                Poll::Ready(())
            })
            .await;
        }
        tokio::time::advance(2 * second).await;
        drop(body);
        let told: Vec<_> = told.iter().collect();
        assert_eq!(told, [Told::Responded, Told::Settled(expected)], "{polls}");
    }
}

#[tokio::test]
async fn who_ends_more_than_one_call_in_time_blames_only_the_peers_that_are_waited_for() {
    for (frames, polls, read, expected) in [
        // Its reader does something else, and that is what takes too long.
        (vec![Ok(data()), Ok(data())], 0, false, Outcome::Cancelled),
        (vec![Ok(data()), Ok(data())], 1, false, Outcome::Cancelled),
        // The peer is waited for.
        (vec![], 1, false, Outcome::Timeout),
        (vec![Ok(data())], 2, false, Outcome::Timeout),
        // A piece is being read, and it is late.
        (vec![Ok(data()), Ok(data())], 1, true, Outcome::Timeout),
    ] {
        let (recorder, told) = recorder();
        let response = Response::new(Stalls(Frames(frames)));
        let mut body = Http.observe(Ok(response), recorder).unwrap().into_body();
        for _ in 0..polls {
            std::future::poll_fn(|cx| {
                drop(Pin::new(&mut body).poll_frame(cx));
                Poll::Ready(())
            })
            .await;
        }
        expire(|| match read {
            true => expire_read(|| drop(body)),
            false => drop(body),
        });
        let told: Vec<_> = told.iter().collect();
        assert_eq!(told, [Told::Responded, Told::Settled(expected)], "{polls}");
    }
}

#[tokio::test]
async fn a_request_that_its_caller_broke_off_says_nothing_of_the_peer() {
    let broken = || {
        BoxError::from(BrokenRequest::new(Rejection::undelivered(
            "",
            Sent::Unknown,
        )))
    };
    let none = || Err::<Response<Empty<Bytes>>, _>(broken());
    for by in [Reads::Values, Reads::Grpc, Reads::Http] {
        let (recorder, told) = recorder();
        match by {
            Reads::Values => drop(ByResult.observe(none(), recorder)),
            Reads::Grpc => drop(Grpc.observe(none(), recorder)),
            Reads::Http => drop(Http.observe(none(), recorder)),
        }
        let told: Vec<_> = told.iter().collect();
        assert_eq!(told, [Told::Settled(Outcome::Cancelled)], "{by:?}");
    }
    // An answer had begun.
    let told = grpc_outcome(answer(HeaderMap::new(), vec![Ok(data()), Err(broken())])).await;
    assert_eq!(told, [Told::Responded, Told::Settled(Outcome::Cancelled)]);
    assert_eq!(error::code(&*broken()), Some(Code::Unavailable));
}

#[tokio::test]
async fn plain_http_is_judged_by_its_status_and_its_last_byte() {
    let told = async |status: u16, frames: Vec<Result<Frame<Bytes>, BoxError>>| {
        let (recorder, told) = recorder();
        let response = Response::builder()
            .status(status)
            .body(Frames(frames))
            .unwrap();
        let response = Http.observe(Ok(response), recorder).unwrap();
        let _ = response.into_body().collect().await;
        told.iter().last()
    };
    let settled = |outcome| Some(Told::Settled(outcome));
    assert_eq!(told(200, vec![Ok(data())]).await, settled(Outcome::Success));
    assert_eq!(told(404, vec![]).await, settled(Outcome::Success));
    assert_eq!(
        told(200, vec![Ok(data()), Err("cut".into())]).await,
        settled(Outcome::Failure)
    );
    assert_eq!(told(500, vec![]).await, settled(Outcome::Failure));
    assert_eq!(told(504, vec![]).await, settled(Outcome::Timeout));
    assert_eq!(told(429, vec![]).await, settled(Outcome::Overload));
}

#[test]
fn an_empty_answer_is_settled_at_once() {
    let (recorder, told) = recorder();
    drop(Http.observe(Ok(Response::new(Empty::<Bytes>::new())), recorder));
    assert_eq!(
        told.iter().collect::<Vec<_>>(),
        [Told::Settled(Outcome::Success)]
    );
}

#[test]
fn an_error_is_the_outcome_of_its_cause() {
    let outcome = |error: BoxError| {
        let (recorder, told) = recorder();
        let _ = ByResult.observe(Err::<(), _>(error), recorder);
        told.iter().last().unwrap()
    };
    let limited = Rejection::decided(Code::ResourceExhausted, "limited");
    let late = Rejection::decided(Code::DeadlineExceeded, "late");
    let lost = Rejection::undelivered("lost", Sent::Unknown);
    assert_eq!(outcome(limited.into()), Told::Settled(Outcome::Overload));
    assert_eq!(outcome(late.into()), Told::Settled(Outcome::Timeout));
    assert_eq!(outcome(lost.into()), Told::Settled(Outcome::Failure));
    let never_asked = Rejection::decided(Code::DeadlineExceeded, "late").by_caller();
    let cancelled = Told::Settled(Outcome::Cancelled);
    assert_eq!(outcome(never_asked.into()), cancelled);
    assert_eq!(
        outcome("anything else".into()),
        Told::Settled(Outcome::Failure)
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_that_says_cancelled_is_a_failure_to_who_reads_it_and_late_a_timeout() {
    let deadline = Deadline::after(Duration::from_secs(1));
    for expected in [Outcome::Failure, Outcome::Timeout] {
        for by in [Reads::Values, Reads::Grpc, Reads::Http] {
            let (tell, told) = mpsc::channel();
            let recorder = Recorder::new(Tell(tell), Some(deadline));
            let error: BoxError = Rejection::decided(Code::Cancelled, "by its own timer").into();
            let none = Err::<Response<Empty<Bytes>>, _>(error);
            match by {
                Reads::Values => drop(ByResult.observe(none, recorder)),
                Reads::Grpc => drop(Grpc.observe(none, recorder)),
                Reads::Http => drop(Http.observe(none, recorder)),
            }
            let told: Vec<_> = told.iter().collect();
            assert_eq!(told, [Told::Settled(expected)], "{by:?}");
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_carries_its_earliest_deadline() {
    let second = Duration::from_secs(1);
    let mut request = Request::new(());
    assert_eq!(Grpc.deadline(&request), None);

    request
        .headers_mut()
        .insert("grpc-timeout", HeaderValue::from_static("3S"));
    let due = |seconds| Some(Deadline::at(clock::now() + second * seconds));
    assert_eq!(Grpc.deadline(&request), due(3));
    assert_eq!(Http.deadline(&request), None);

    request
        .extensions_mut()
        .insert(CallOptions::new().timeout(2 * second));
    assert_eq!(Grpc.deadline(&request), due(2));
    request.extensions_mut().insert(Deadline::after(second));
    assert_eq!(Grpc.deadline(&request), due(1));
    assert_eq!(Http.deadline(&request), due(1));
    assert_eq!(ByResult.deadline(&request), None);

    // Whoever settled the deadline has read the header, and may know better.
    request
        .headers_mut()
        .insert("grpc-timeout", HeaderValue::from_static("1m"));
    assert_eq!(Grpc.deadline(&request), due(1));
}

#[test]
fn bodies_made_for_interceptors_are_empty() {
    type Recorded = ziggurat_core::Recorded<Empty<Bytes>, ()>;
    assert!(Recorded::default().is_end_stream());
}

#[tokio::test]
async fn what_a_peer_says_at_the_end_is_told_before_the_outcome() {
    struct Hear(mpsc::Sender<String>);

    impl Record for Hear {
        fn trailers(&mut self, trailers: &HeaderMap) {
            let said = trailers
                .get("said")
                .map_or("", |said| said.to_str().unwrap());
            self.0.send(said.to_owned()).unwrap();
        }

        fn settle(self, outcome: Outcome) {
            self.0.send(format!("{outcome:?}")).unwrap();
        }
    }

    let said = |code, said| {
        let mut headers = status(code);
        headers.insert("said", HeaderValue::from_static(said));
        headers
    };
    let in_trailers = vec![Ok(data()), Ok(Frame::trailers(said("0", "in trailers")))];
    for (response, heard) in [
        (
            answer(HeaderMap::new(), in_trailers),
            ["in trailers", "Success"].as_slice(),
        ),
        (
            answer(said("14", "in headers"), vec![]),
            &["in headers", "Failure"],
        ),
        (answer(HeaderMap::new(), vec![Ok(data())]), &["Failure"]),
    ] {
        let (tell, told) = mpsc::channel();
        // Through the compounds, too.
        let recorder = Recorder::new((Some(Hear(tell)), ()), None);
        let response = Grpc.observe(Ok(response), recorder).unwrap();
        let _ = response.into_body().collect().await;
        assert_eq!(told.iter().collect::<Vec<_>>(), heard);
    }
}

#[test]
fn what_a_service_said_instead_of_being_ready_is_told_once_and_asked_for_no_more_before() {
    let (mut readiness, mut asked) = (Readiness::new(), 0);
    for told in 0..3 {
        for _ in 0..3 {
            let ready = readiness.poll(|| {
                asked += 1;
                Poll::Ready(Err("broken"))
            });
            assert!(ready.is_ready());
        }
        assert_eq!(asked, told + 1);
        assert!(readiness.clone().take().is_none());
        let error = readiness.take().unwrap();
        assert_eq!(error::code(&*error), Some(Code::Unavailable));
        assert!(readiness.take().is_none());
    }
    let waits = readiness.poll(|| Poll::<Result<(), BoxError>>::Pending);
    assert!(waits.is_pending());
}
