//! How every kind of answer counts, over real HTTP/2: the whole matrix, as the layers of a stack see it.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{net::SocketAddr, sync::mpsc, time::Duration};
use tonic::{Code, Status};
use tower::{Layer, ServiceExt, service_fn, util::MapResponseLayer};
use ziggurat::{
    client::RequestExt,
    connect::Connector,
    core::{
        BrokenRequest, Carry, Classify, Code as OurCode, Grpc, Instance,
        Outcome::{self, Cancelled, Failure, Overload, Success, Timeout},
        Record, Recorder, error, grpc,
    },
    deadline::{DeadlineLayer, Settings},
};
use ziggurat_testkit::{
    Act, Behaviour, EchoClient, EchoServer, RawH2, RawScript, RefusingAddress, bounded,
    tonic::body::Body as ServerBody,
};

use crate::house::{House, hello};

type Body = Full<Bytes>;

/// How much of an answer its caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    All,
    /// One frame, and then it loses interest.
    Half,
    /// Not even the head.
    Nothing,
}

struct Tell(mpsc::Sender<Outcome>);

impl Record for Tell {
    fn settle(self, outcome: Outcome) {
        self.0.send(outcome).unwrap();
    }
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(60);
/// The codes of HTTP/2 (RFC 9113, section 7), of which 8 is CANCEL.
const RESETS: std::ops::RangeInclusive<u32> = 0..=13;

/// All codes but OK, and what each says of the service.
const CODES: [(Code, Outcome); 16] = [
    // Nobody has cancelled who reads this.
    (Code::Cancelled, Failure),
    (Code::Unknown, Failure),
    (Code::InvalidArgument, Success),
    (Code::DeadlineExceeded, Timeout),
    (Code::NotFound, Success),
    (Code::AlreadyExists, Success),
    (Code::PermissionDenied, Success),
    (Code::ResourceExhausted, Overload),
    (Code::FailedPrecondition, Success),
    (Code::Aborted, Success),
    (Code::OutOfRange, Success),
    (Code::Unimplemented, Success),
    (Code::Internal, Failure),
    (Code::Unavailable, Failure),
    (Code::DataLoss, Failure),
    (Code::Unauthenticated, Success),
];

fn request() -> Request<Body> {
    Request::post("/echo.v1.Echo/Unary")
        .header(CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .body(vec![0; 5].into())
        .unwrap()
}

/// How a call counts for two who watch it: one within the deadline, as an endpoint's health stands, and
/// one outside of it, as the service's breaker does. They agree.
async fn outcome(address: SocketAddr, within: Duration, reads: Reads) -> Outcome {
    let (tell, told) = mpsc::channel();
    let instance = Instance::at("echo", address).unwrap();
    let connection = Connector::<Body>::default().oneshot(instance).await;
    let connection = connection.unwrap();
    let inner = tell.clone();
    let watched = service_fn(move |request: Request<Body>| {
        let recorder = Recorder::new(Tell(inner.clone()), Grpc.deadline(&request));
        let call = connection.clone().oneshot(request);
        async move { Grpc.observe(call.await, recorder) }
    });
    let stack = DeadlineLayer::client(Settings::new(within).unwrap()).layer(watched);
    let request = request();
    let recorder = Recorder::new(Tell(tell), Grpc.deadline(&request));
    let call = async { Grpc.observe(stack.oneshot(request).await, recorder) };
    match reads {
        Reads::Nothing => drop(tokio::time::timeout(SHORT, call).await),
        Reads::Half => {
            let mut body = call.await.unwrap().into_body();
            body.frame().await.unwrap().unwrap();
        }
        Reads::All => {
            if let Ok(response) = call.await {
                let _ = response.into_body().collect().await;
            }
        }
    }
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told.len(), 2, "each is told once: {told:?}");
    assert_eq!(told[0], told[1]);
    told[0]
}

/// What a server says, how its caller takes it, and what that counts.
type Row = (Behaviour, Duration, Reads, Outcome);

fn matrix() -> Vec<Row> {
    let read = |behaviour, outcome| (behaviour, LONG, Reads::All, outcome);
    let mut rows = vec![
        read(Behaviour::Healthy, Success),
        read(Behaviour::MissingStatus, Failure),
        read(Behaviour::CutBody, Failure),
        read(Behaviour::CutConnection, Failure),
        (Behaviour::Stall, SHORT, Reads::All, Timeout),
        (Behaviour::StallBody, SHORT, Reads::All, Timeout),
        (Behaviour::Stall, LONG, Reads::Nothing, Cancelled),
        (Behaviour::StallBody, LONG, Reads::Half, Cancelled),
        (Behaviour::Healthy, LONG, Reads::Half, Cancelled),
    ];
    for (code, outcome) in CODES {
        rows.push(read(Behaviour::Fail(code), outcome));
        rows.push(read(Behaviour::FailLate(code), outcome));
    }
    rows.extend(RESETS.map(|code| read(Behaviour::Reset(code), Failure)));
    // gRPC's HTTP mapping, a status that it does not name, and one that says nothing.
    for status in [200, 204, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        rows.push(read(Behaviour::Html(status), Failure));
    }
    rows
}

#[tokio::test]
async fn every_kind_of_answer_counts_as_what_it_is_over_a_real_connection() {
    bounded();
    let server = EchoServer::start().await;
    for (behaviour, within, reads, expected) in matrix() {
        server.behave(behaviour.clone());
        let outcome = outcome(server.address(), within, reads).await;
        assert_eq!(outcome, expected, "{behaviour:?} {reads:?}");
    }
}

#[tokio::test]
async fn a_status_that_is_none_is_a_failure_wherever_it_stands() {
    bounded();
    for bad in ["", "17", "-1", "0x0", "00", "banana", "0, 0"] {
        for in_head in [true, false] {
            let answer = move |_: Response<ServerBody>| broken(bad, in_head);
            let server = EchoServer::setup().layer(MapResponseLayer::new(answer));
            let server = server.start().await;
            let outcome = outcome(server.address(), LONG, Reads::All).await;
            assert_eq!(outcome, Failure, "{bad:?}, in the head: {in_head}");
        }
    }
}

fn broken(status: &'static str, in_head: bool) -> Response<ServerBody> {
    let status = HeaderValue::from_static(status);
    let mut trailers = http::HeaderMap::new();
    let mut bytes = Bytes::new();
    let mut response = Response::builder().header(CONTENT_TYPE, "application/grpc");
    if in_head {
        response = response.header(grpc::STATUS, status);
    } else {
        trailers.insert(grpc::STATUS, status);
        bytes = Bytes::from_static(&[0; 5]);
    }
    let trailers = (!in_head).then(|| Ok(trailers));
    let body = Full::new(bytes).with_trailers(std::future::ready(trailers));
    response.body(ServerBody::new(body)).unwrap()
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_or_breaks_is_a_failure() {
    bounded();
    let refusing = RefusingAddress::new();
    let refused = outcome(refusing.address(), LONG, Reads::All).await;
    assert_eq!(refused, Failure);
    let go_away = |code| Act::GoAway {
        last_stream: 1,
        code,
    };
    for code in RESETS {
        for act in [go_away(code), Act::ResetAll(code)] {
            let script = RawScript::new().after(1, act).then(Act::Cut);
            let server = RawH2::serve(script).await;
            let outcome = outcome(server.address(), LONG, Reads::All).await;
            assert_eq!(outcome, Failure, "{act:?}");
        }
    }
}

/// Through the whole stack: neither the circuit nor health nor a budget minds.
#[tokio::test]
async fn what_a_service_says_about_a_request_opens_no_circuit_and_ejects_nobody() {
    for code in [Code::NotFound, Code::InvalidArgument] {
        for behaviour in [Behaviour::Fail(code), Behaviour::FailLate(code)] {
            let house = House::of(2).await;
            for server in &house.servers {
                server.behave(behaviour.clone());
            }
            let mut client = EchoClient::new(house.ziggurat().channel("echo"));
            for _ in 0..200 {
                let status = client.unary(hello().idempotent()).await.unwrap_err();
                assert_eq!(status.code(), code, "{status:?}");
            }
            assert_eq!(
                house.arrived().iter().sum::<u64>(),
                200,
                "each was sent once"
            );
            for server in &house.servers {
                server.behave(Behaviour::Healthy);
            }
            client.unary(hello()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn uploads_that_their_callers_break_off_open_no_circuit_and_eject_nobody() {
    let house = House::of(1).await;
    let channel = house.ziggurat().channel("echo");
    for _ in 0..20 {
        let message = Frame::data(Bytes::from_static(&[0; 5]));
        let gone = Status::unavailable("the browser has gone");
        let frames = StreamBody::new(stream::iter([Ok(message), Err(gone)]));
        let mut upload = request().map(|_| ServerBody::new(frames));
        *upload.uri_mut() = "/echo.v1.Echo/ClientStream".parse().unwrap();
        let error = channel.clone().oneshot(upload).await.unwrap_err();
        assert!(error::find::<BrokenRequest>(&*error).is_some());
        assert_eq!(error::code(&*error), Some(OurCode::Unavailable));
    }
    let mut client = EchoClient::new(channel);
    client.unary(hello()).await.unwrap();
}
