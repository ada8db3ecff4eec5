//! HTTP/2 faults as hyper's client sees them.

use std::{error::Error as _, io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Status};
use ziggurat_testkit::{Act, EchoClient, EchoRequest, PlainClient, RawH2, RawScript};

const LONG: Duration = Duration::from_secs(20);
const REFUSED_STREAM: u32 = 7;

async fn connect(server: &RawH2) -> EchoClient<PlainClient> {
    EchoClient::new(PlainClient::connect(server.address()).await.unwrap())
}

async fn unary(client: &EchoClient<PlainClient>) -> Result<(), Status> {
    let call = async { client.clone().unary(EchoRequest::default()).await };
    timeout(LONG, call).await.expect("the call hangs").map(drop)
}

/// What h2 says is behind a failed call.
fn h2_error(status: &Status) -> Option<&h2::Error> {
    let mut error = status.source();
    while let Some(cause) = error {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        error = cause.source();
    }
    None
}

#[tokio::test]
async fn refused_streams_are_reset_with_their_code() {
    let script = RawScript::new().after(2, Act::ResetAll(REFUSED_STREAM));
    let server = RawH2::serve(script).await;
    let client = connect(&server).await;
    let (first, second) = tokio::join!(unary(&client), unary(&client));
    for status in [first.unwrap_err(), second.unwrap_err()] {
        let reason = h2_error(&status).and_then(h2::Error::reason);
        assert_eq!(reason, Some(h2::Reason::REFUSED_STREAM));
    }
    assert_eq!(server.streams(), [[1, 3]]);
}

#[tokio::test]
async fn a_goaway_spares_the_streams_below_it() {
    let script = RawScript::new()
        .after(
            2,
            Act::GoAway {
                last_stream: 1,
                code: 0,
            },
        )
        .then(Act::AnswerAll(Code::NotFound as u8));
    let server = RawH2::serve(script).await;
    let client = connect(&server).await;
    let (first, second) = tokio::join!(unary(&client), unary(&client));
    assert_eq!(first.unwrap_err().code(), Code::NotFound);
    assert!(
        h2_error(&second.unwrap_err()).is_some_and(|error| error.is_go_away() && error.is_remote())
    );
}

#[tokio::test]
async fn a_socket_is_closed_or_cut_under_a_call() {
    for act in [Act::Close, Act::Cut] {
        let server = RawH2::serve(RawScript::new().after(1, act)).await;
        let client = connect(&server).await;
        unary(&client).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_closed_socket_ends_and_a_cut_one_is_reset() {
    let mut ends = Vec::new();
    for act in [Act::Close, Act::Cut] {
        let server = RawH2::serve(RawScript::new().then(act)).await;
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        socket.write_all(preface).await.unwrap();
        let end = socket.read_to_end(&mut Vec::new()).await;
        ends.push(end.map(drop).map_err(|error| error.kind()));
    }
    assert_eq!(ends, [Ok(()), Err(io::ErrorKind::ConnectionReset)]);
}

#[tokio::test]
async fn a_stream_limit_holds_calls_back() {
    let script = RawScript::new()
        .max_concurrent_streams(1)
        .after(1, Act::AnswerAll(Code::NotFound as u8))
        .after(3, Act::Serve);
    let server = RawH2::serve(script).await;
    let client = connect(&server).await;
    // The limit is known once the first answer is here.
    assert_eq!(unary(&client).await.unwrap_err().code(), Code::NotFound);
    let calls = async { tokio::join!(unary(&client), unary(&client)) };
    let answers = timeout(Duration::from_millis(50), calls).await;
    answers.expect_err("the third request waits for the second one's answer");
    assert_eq!(server.streams(), [[1, 3]]);
}

#[tokio::test]
async fn each_connection_can_have_a_script_of_its_own() {
    let scripts = [
        RawScript::new().after(1, Act::Cut),
        RawScript::new().then(Act::Serve),
    ];
    let server = RawH2::serve_each(scripts).await;
    unary(&connect(&server).await).await.unwrap_err();
    for _ in 0..2 {
        let client = connect(&server).await;
        unary(&client).await.unwrap();
        unary(&client).await.unwrap();
    }
    assert_eq!(server.streams(), [vec![1], vec![1, 3], vec![1, 3]]);
}

#[tokio::test]
async fn streams_can_be_waited_for() {
    let server = RawH2::serve(RawScript::new()).await;
    let client = connect(&server).await;
    let calls = async { tokio::join!(unary(&client), unary(&client), unary(&client)) };
    tokio::select! {
        _ = calls => panic!("nobody answers"),
        saw = timeout(LONG, server.saw(3)) => saw.unwrap(),
    }
    assert_eq!(server.streams(), [[1, 3, 5]]);
}
