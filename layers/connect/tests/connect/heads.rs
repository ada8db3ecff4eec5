//! What HTTP/2 makes of the heads of requests and answers.

use crate::{
    server::{Server, ok},
    support::{Bytesful, bounded, connect, make, quick, request},
};
use bytes::Bytes;
use h2::server::Builder;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::AGE};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;
use ziggurat_connect::{Connector, NoTunnel};
use ziggurat_core::{Code, Rejection, Sent, error};

#[tokio::test]
async fn connect_is_refused_and_harms_nobody() {
    bounded(async {
        let mut server = Server::start(Builder::new()).await;
        let connection = connect(server.address).await;
        let mut tunnel = request();
        *tunnel.method_mut() = Method::CONNECT;
        let error = connection.clone().oneshot(tunnel).await.unwrap_err();
        assert!(error::find::<NoTunnel>(&*error).is_some());
        let rejection = error::find::<Rejection>(&*error).unwrap();
        assert_eq!(rejection.code(), Code::Unimplemented);
        assert_eq!(rejection.sent(), Sent::Never);
        let mut next = tokio_test::task::spawn(connection.oneshot(request()));
        tokio::select! {
            _ = &mut next => panic!("nobody answered"),
            (_, mut respond) = server.came() => respond.send_response(ok(), true).unwrap(),
        };
        next.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn headers_of_http1_do_not_fail_a_call() {
    bounded(async {
        let mut server = Server::start(Builder::new()).await;
        let connection = connect(server.address).await;
        let request = Request::post("/")
            .header("connection", "keep-alive, x-hop")
            .header("keep-alive", "timeout=5")
            .header("transfer-encoding", "chunked")
            .header("x-hop", "1")
            .header("te", "gzip")
            .header("stays", "1")
            .body(Full::from("abc"))
            .unwrap();
        let mut call = tokio_test::task::spawn(connection.oneshot(request));
        tokio::select! {
            _ = &mut call => panic!("nobody answered"),
            (request, mut respond) = server.came() => {
                let names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
                assert_eq!(names, ["stays", "user-agent", "content-length"]);
                assert_eq!(request.headers()["content-length"], "3");
                respond.send_response(ok(), true).unwrap();
            }
        }
        call.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_answer_says_how_long_it_is_as_it_is_read() {
    bounded(async {
        let mut server = Server::start(Builder::new()).await;
        let connection = connect(server.address).await;
        let mut call = tokio_test::task::spawn(connection.oneshot(request()));
        let (_request, mut respond) = tokio::select! {
            _ = &mut call => panic!("nobody answered"),
            came = server.came() => came,
        };
        let hints = Response::builder().status(StatusCode::EARLY_HINTS).body(());
        respond.send_informational(hints.unwrap()).unwrap();
        let head = Response::builder().header("content-length", "6").body(());
        let mut answer = respond.send_response(head.unwrap(), false).unwrap();
        let mut response = call.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.body().size_hint().exact(), Some(6));
        for (data, left) in [("one", 3), ("two", 0)] {
            answer.send_data(Bytes::from(data), left == 0).unwrap();
            response.frame().await.unwrap().unwrap();
            assert_eq!(response.body().size_hint().exact(), Some(left));
        }
        if !response.body().is_end_stream() {
            assert!(response.frame().await.is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_longer_than_all_windows_is_read_to_its_end() {
    bounded(async {
        let mut server = Server::start(Builder::new()).await;
        let settings = quick().windows(65_535, 65_535).unwrap();
        let connection = make(Connector::<Bytesful>::new(settings), server.address).await;
        // What a stream leaves unread must not be missing from the connection.
        for read in [false, false, true] {
            let mut call = tokio_test::task::spawn(connection.clone().oneshot(request()));
            let (_request, mut respond) = tokio::select! {
                _ = &mut call => panic!("nobody answered"),
                came = server.came() => came,
            };
            let mut answer = respond.send_response(ok(), false).unwrap();
            answer.send_data(vec![0; 1 << 20].into(), true).unwrap();
            let mut response = call.await.unwrap();
            response.frame().await.unwrap().unwrap();
            if read {
                let rest = response.into_body().collect().await.unwrap().to_bytes();
                assert!(rest.len() < 1 << 20 && rest.len() >= (1 << 20) - (1 << 14));
            }
        }
    })
    .await;
}

/// Frames, and that there are no more is only known when they are asked for, as of tonic's.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// Kind and flags of the first frames of the first stream, of which the last ends it.
async fn frames<B>(body: B) -> Vec<(u8, u8)>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connection = make(Connector::<B>::new(quick()), listener.local_addr().unwrap()).await;
    let (mut socket, _) = listener.accept().await.unwrap();
    let request = Request::post("/").body(body).unwrap();
    let mut call = tokio_test::task::spawn(connection.oneshot(request));
    let read = async {
        socket.read_exact(&mut [0; 24]).await.unwrap();
        socket
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut frames = Vec::new();
        while frames.last().is_none_or(|(_, flags)| flags & 1 == 0) {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let [a, b, c, kind, flags, id @ ..] = head;
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            socket.read_exact(&mut vec![0; length]).await.unwrap();
            if u32::from_be_bytes(id) == 1 {
                frames.push((kind, flags));
            }
        }
        frames
    };
    tokio::select! {
        _ = &mut call => panic!("nobody answered"),
        frames = read => frames,
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

#[tokio::test]
async fn the_last_frame_of_a_request_says_that_it_is_the_last() {
    bounded(async {
        let head = (HEADERS, END_HEADERS);
        let last = (DATA, END_STREAM);
        let nothing = [(HEADERS, END_HEADERS | END_STREAM)];
        assert_eq!(frames(Empty::new()).await, nothing);
        assert_eq!(frames(Full::from("abc")).await, [head, last]);
        let abc = || Frame::data(Bytes::from("abc"));
        let trailers = Frame::trailers(HeaderMap::from_iter([(AGE, 1.into())]));
        for (said, seen) in [
            (vec![], vec![head, last]),
            (vec![abc()], vec![head, last]),
            (vec![abc(), abc()], vec![head, (DATA, 0), last]),
            (vec![abc(), trailers], vec![head, (DATA, 0), nothing[0]]),
        ] {
            assert_eq!(frames(Frames(said.into())).await, seen);
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_that_was_meant_for_somebody_else_does_not_contradict_the_authority() {
    bounded(async {
        let mut server = Server::start(Builder::new()).await;
        let connection = connect(server.address).await;
        for (uri, authority) in [("/a", "echo"), ("http://me:secret@chosen:1/a", "chosen:1")] {
            let request = Request::get(uri)
                .header("host", "www.example.com")
                .body(Full::default())
                .unwrap();
            let mut call = tokio_test::task::spawn(connection.clone().oneshot(request));
            let (request, mut respond) = tokio::select! {
                _ = &mut call => panic!("nobody answered"),
                came = server.came() => came,
            };
            assert_eq!(request.uri().authority().unwrap(), authority);
            assert_eq!(request.headers().get("host"), None);
            respond.send_response(ok(), true).unwrap();
            call.await.unwrap();
        }
    })
    .await;
}
