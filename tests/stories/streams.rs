//! Streams of requests that are tried again, over sockets: what was sent, and what is still to come.

use crate::house::House;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::sync::mpsc;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service, layer::layer_fn, service_fn};
use ziggurat::{
    client::{Channel, ChannelSettings, Ziggurat},
    retry,
};
use ziggurat_testkit::{Behaviour, EchoClient, EchoReply, EchoRequest, EchoRoutes, EchoServer};

const TEN: usize = 10;

fn numbered(number: usize) -> EchoRequest {
    EchoRequest {
        message: number.to_string(),
        payload: vec![b'a' + number as u8; 1_000].into(),
        ..EchoRequest::default()
    }
}

/// Around an echo service: answers so after a few frames of the request, if that is a first attempt.
/// The rest of the request is left unread.
fn after<F>(
    frames: usize,
    answer: F,
) -> impl Layer<
    EchoRoutes,
    Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
                 + Clone
                 + Send
                 + 'static,
>
where
    F: Fn() -> Response<Body> + Clone + Send + 'static,
{
    layer_fn(move |echo: EchoRoutes| {
        let answer = answer.clone();
        service_fn(move |mut request: Request<Body>| {
            let (mut echo, answer) = (echo.clone(), answer.clone());
            async move {
                if request.headers().contains_key("grpc-previous-rpc-attempts") {
                    return echo.call(request).await;
                }
                for _ in 0..frames {
                    request.body_mut().frame().await;
                }
                Ok(answer())
            }
        })
    })
}

fn unavailable() -> Response<Body> {
    Status::unavailable("not now").into_http()
}

/// A channel to a server of this layer's.
async fn channel<L, S>(layer: L, settings: retry::Settings) -> (House, Channel)
where
    L: Layer<EchoRoutes, Service = S>,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let mut house = House::of(0).await;
    let server = EchoServer::setup().name("echo").layer(layer).start().await;
    house.register("echo", &server).await;
    house.servers.push(server);
    let settings = ChannelSettings::new().retry(settings);
    let ziggurat = Ziggurat::new(house.registry.clone()).service("echo", settings);
    let channel = ziggurat.channel("echo");
    (house, channel)
}

/// So many messages, and who has asked for how many of them.
fn numbers(
    messages: usize,
) -> (
    impl Stream<Item = EchoRequest> + Send + 'static,
    Arc<AtomicUsize>,
) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let stream = stream::iter(0..messages).map(move |number| {
        count.fetch_add(1, Relaxed);
        numbered(number)
    });
    (stream, asked)
}

fn received<T: Send + 'static>(
    messages: mpsc::Receiver<T>,
) -> impl Stream<Item = T> + Send + 'static {
    stream::unfold(messages, |mut messages| async {
        Some((messages.recv().await?, messages))
    })
}

fn assert_whole(reply: &EchoReply) {
    let words: Vec<_> = (0..TEN).map(|number| number.to_string()).collect();
    assert_eq!(reply.message, words.join(" "));
    let bytes: Vec<_> = (0..TEN)
        .flat_map(|number| numbered(number).payload)
        .collect();
    assert_eq!(reply.payload, bytes);
}

#[tokio::test]
async fn a_stream_that_was_answered_after_one_message_of_ten_is_replayed_whole() {
    for frames in [0, 1, 3] {
        let (house, channel) = channel(after(frames, unavailable), retry::Settings::new()).await;
        let (messages, asked) = numbers(TEN);
        let mut client = EchoClient::new(channel);
        let reply = client.client_stream(messages).await.unwrap().into_inner();
        assert_whole(&reply);
        assert_eq!(house.arrived(), [2]);
        // The caller was asked for each of them once.
        assert_eq!(asked.load(Relaxed), TEN);
    }
}

#[tokio::test]
async fn the_rest_of_a_stream_comes_from_the_caller_after_the_retry() {
    let (house, channel) = channel(after(1, unavailable), retry::Settings::new()).await;
    let (sender, messages) = mpsc::channel(1);
    let mut client = EchoClient::new(channel);
    let call = client.client_stream(received(messages));
    let send = async move {
        for number in 0..3 {
            sender.send(numbered(number)).await.unwrap();
        }
        // The second attempt is under way before the rest is there.
        house.servers[0].until(|counts| counts.started == 1).await;
        for number in 3..TEN {
            sender.send(numbered(number)).await.unwrap();
        }
        drop(sender);
        house
    };
    let (reply, house) = tokio::join!(call, send);
    assert_whole(&reply.unwrap().into_inner());
    assert_eq!(house.arrived(), [2]);
}

#[tokio::test]
async fn a_conversation_goes_on_with_another_attempt() {
    let (house, channel) = channel(after(2, unavailable), retry::Settings::new()).await;
    let (sender, messages) = mpsc::channel(1);
    let mut client = EchoClient::new(channel);
    let call = client.bidi(received(messages));
    let begin = async {
        sender.send(numbered(0)).await.unwrap();
        sender.send(numbered(1)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(call, begin);
    let mut replies = answer.unwrap().into_inner();
    for number in 0..TEN {
        if number > 1 {
            sender.send(numbered(number)).await.unwrap();
        }
        let reply = replies.message().await.unwrap().unwrap();
        assert_eq!(reply.message, number.to_string());
    }
    drop(sender);
    assert!(replies.message().await.unwrap().is_none());
    assert_eq!(house.arrived(), [2]);
}

#[tokio::test]
async fn a_stream_beyond_the_limit_is_sent_once_and_gets_the_original_error() {
    let small = retry::Settings::new().replay_limit(2_000);
    let (house, channel) = channel(after(5, unavailable), small).await;
    let (messages, _) = numbers(TEN);
    let mut client = EchoClient::new(channel);
    let status = client.client_stream(messages).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "not now")
    );
    assert_eq!(house.arrived(), [1]);
}

#[tokio::test]
async fn a_large_message_beyond_the_limit_is_sent_once() {
    let (house, channel) = channel(after(1, unavailable), retry::Settings::new()).await;
    for (bytes, arrived) in [(1 << 17, 2), (1 << 19, 3)] {
        let request = EchoRequest {
            payload: vec![7; bytes].into(),
            ..EchoRequest::default()
        };
        let result = EchoClient::new(channel.clone()).unary(request).await;
        assert_eq!(house.arrived(), [arrived]);
        match result {
            Ok(reply) => assert_eq!(reply.into_inner().payload.len(), 1 << 17),
            Err(status) => assert_eq!(status.message(), "not now"),
        }
    }
}

#[tokio::test]
async fn headers_commit_the_call_even_with_no_message_after_them() {
    let committed = || {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), 14.into())]);
        let nothing = Full::<Bytes>::default().with_trailers(async move { Some(Ok(trailers)) });
        let response = Response::builder().header("content-type", "application/grpc");
        response.body(Body::new(nothing)).unwrap()
    };
    let (house, channel) = channel(after(1, committed), retry::Settings::new()).await;
    let (messages, _) = numbers(TEN);
    let mut client = EchoClient::new(channel.clone());
    let status = client.client_stream(messages).await.unwrap_err();
    assert_eq!(
        (status.code(), house.arrived()),
        (Code::Unavailable, vec![1])
    );
    let (messages, _) = numbers(TEN);
    let replies = client.bidi(messages).await.unwrap().into_inner();
    let status = replies.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(
        (status.code(), house.arrived()),
        (Code::Unavailable, vec![2])
    );
}

#[tokio::test]
async fn a_stream_that_the_server_refused_to_look_at_is_sent_again() {
    const REFUSED_STREAM: u32 = 7;
    let house = House::of(1).await;
    house.servers[0].behave_next(1, Behaviour::Reset(REFUSED_STREAM));
    let (messages, asked) = numbers(TEN);
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let reply = client.client_stream(messages).await.unwrap().into_inner();
    assert_whole(&reply);
    assert_eq!((house.arrived(), asked.load(Relaxed)), (vec![2], TEN));
    let headers = house.servers[0].last_headers().unwrap();
    assert!(!headers.contains_key("grpc-previous-rpc-attempts"));
}
