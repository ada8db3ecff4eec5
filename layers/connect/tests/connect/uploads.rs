//! Requests whose bodies take their time.

use crate::{
    server::{Pipe, Piped, Server, ok, pipe, put, read, read_all, upload},
    support::{MS, bounded, make, quick, sent, until},
};
use bytes::Bytes;
use h2::{Reason, server::Builder};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use ziggurat_connect::{Body, Connection, Connector, TooLate};
use ziggurat_core::{BoxError, BrokenRequest, Deadline, Endpoint, Sent, State, error};

#[path = "uploads/ends.rs"]
mod ends;

type Call = JoinHandle<Result<Response<Body>, BoxError>>;

/// A server that allows one stream at a time, and a connection to it.
async fn one_at_a_time() -> (Server, Connection<Piped>) {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    connected(builder).await
}

async fn connected(builder: Builder) -> (Server, Connection<Piped>) {
    let server = Server::start(builder).await;
    let connection = make(Connector::new(quick()), server.address).await;
    until(&connection, State::Ready).await;
    (server, connection)
}

#[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
fn call(connection: &Connection<Piped>, request: Request<Piped>) -> Call {
    tokio::spawn(connection.clone().oneshot(request))
}

/// A call whose answer has begun and whose request has not ended.
async fn under_way(
    server: &mut Server,
    connection: &Connection<Piped>,
) -> (
    Pipe,
    crate::server::Came,
    h2::SendStream<Bytes>,
    Response<Body>,
) {
    let (pipe, body) = pipe();
    let call = call(connection, upload(body));
    let (request, mut respond) = server.came().await;
    let answer = respond.send_response(ok(), false).unwrap();
    let response = call.await.unwrap().unwrap();
    (pipe, (request, respond), answer, response)
}

/// The one stream of the server is free again.
async fn is_free(server: &mut Server, connection: &Connection<Piped>) {
    let (pipe, body) = pipe();
    drop(pipe);
    let call = call(connection, upload(body));
    let (_, mut respond) = server.came().await;
    respond.send_response(ok(), true).unwrap();
    call.await.unwrap().unwrap();
}

/// The body is not asked for any more.
async fn is_let_go(pipe: &Pipe) {
    pipe.closed().await;
}

#[tokio::test]
async fn both_sides_of_a_call_may_speak_in_turns() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, (mut request, _), mut answer, mut response) =
            under_way(&mut server, &connection).await;
        for said in ["one", "two", "three"] {
            put(&pipe, said).await;
            read(request.body_mut(), said.len()).await;
            answer.send_data(Bytes::from(said), false).unwrap();
            let frame = response.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), said);
        }
        drop(pipe);
        assert_eq!(read_all(request.body_mut()).await.unwrap(), 0);
        answer.send_trailers(HeaderMap::new()).unwrap();
        assert!(response.frame().await.unwrap().unwrap().is_trailers());
        is_free(&mut server, &connection).await;
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_request_is_sent_although_nobody_reads_the_answer() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, (mut request, _), _answer, _response) =
            under_way(&mut server, &connection).await;
        for _ in 0..100 {
            put(&pipe, vec![0; 10_000]).await;
            read(request.body_mut(), 10_000).await;
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", "7".parse().unwrap());
        trailers.insert("connection", "close".parse().unwrap());
        pipe.send(Ok(Frame::trailers(trailers))).await.unwrap();
        assert_eq!(read_all(request.body_mut()).await.unwrap(), 0);
        let trailers = request.body_mut().trailers().await.unwrap().unwrap();
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["checksum"], "7");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_before_all_was_sent_is_an_answer() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        for begun in [false, true] {
            let (pipe, body) = pipe();
            let call = call(&connection, upload(body));
            let (mut request, mut respond) = server.came().await;
            if begun {
                put(&pipe, "enough").await;
                read(request.body_mut(), 6).await;
            }
            let mut answer = respond.send_response(ok(), false).unwrap();
            answer.send_data(Bytes::from("no more"), false).unwrap();
            answer.send_trailers(HeaderMap::new()).unwrap();
            // It resets the stream, by NO_ERROR.
            drop((request, respond, answer));
            let response = call.await.unwrap().unwrap();
            let body = response.into_body().collect().await.unwrap();
            assert!(body.trailers().is_some());
            assert_eq!(body.to_bytes(), "no more");
            is_let_go(&pipe).await;
            is_free(&mut server, &connection).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_shorter_than_was_said_is_cut_off_whatever_the_reason() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (_pipe, body) = pipe();
        let call = call(&connection, upload(body));
        let (_request, mut respond) = server.came().await;
        let head = Response::builder().header("content-length", 10);
        let mut answer = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        answer.send_data(Bytes::from("12345"), false).unwrap();
        let mut response = call.await.unwrap().unwrap();
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "12345");
        answer.send_reset(Reason::NO_ERROR);
        let error = response.frame().await.unwrap().unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);
        is_free(&mut server, &connection).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_answered_may_still_read_and_the_stream_is_not_free_meanwhile() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, (mut request, _), mut answer, response) =
            under_way(&mut server, &connection).await;
        answer.send_data(Bytes::from("done"), true).unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "done");
        // It waits for the stream, and is not handed to a connection that cannot send it.
        let mut late = upload(self::pipe().1);
        late.extensions_mut().insert(Deadline::after(20 * MS));
        let error = call(&connection, late).await.unwrap().unwrap_err();
        assert!(error::find::<TooLate>(&*error).is_some());
        let next = call(&connection, upload(self::pipe().1));
        assert!(server.is_quiet().await, "more streams than are allowed");
        put(&pipe, "afterwards").await;
        drop(pipe);
        assert_eq!(read_all(request.body_mut()).await.unwrap(), 10);
        let (_, mut respond) = server.came().await;
        respond.send_response(ok(), true).unwrap();
        next.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_body_is_asked_for_no_more_than_the_server_reads() {
    const WINDOW: usize = 65_535;
    const CHUNK: usize = 10_000;
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, body) = pipe();
        let call = call(&connection, upload(body));
        let (mut request, mut respond) = server.came().await;
        let mut put = 0;
        for read in 0..40 {
            while let Ok(room) = tokio::time::timeout(5 * MS, pipe.reserve()).await {
                room.unwrap().send(Ok(Frame::data(vec![0; CHUNK].into())));
                put += 1;
            }
            // One is in the pipe, one is held, and one is beyond the window.
            let ahead = (put - read) * CHUNK;
            assert!(ahead <= WINDOW + 3 * CHUNK, "{ahead} bytes ahead");
            assert!(ahead >= WINDOW, "{ahead} bytes ahead");
            self::read(request.body_mut(), CHUNK).await;
        }
        drop(pipe);
        let rest = read_all(request.body_mut()).await.unwrap();
        assert_eq!(rest, (put - 40) * CHUNK);
        respond.send_response(ok(), true).unwrap();
        call.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_chunk_that_no_window_holds_arrives() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, body) = pipe();
        let call = call(&connection, upload(body));
        put(&pipe, vec![0; 3 << 20]).await;
        put(&pipe, Bytes::new()).await;
        put(&pipe, vec![0; 1 << 20]).await;
        drop(pipe);
        let (mut request, mut respond) = server.came().await;
        assert_eq!(read_all(request.body_mut()).await.unwrap(), 4 << 20);
        respond.send_response(ok(), true).unwrap();
        call.await.unwrap().unwrap();
    })
    .await;
}
