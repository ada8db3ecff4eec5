//! The calls that are made through a bare channel and through ours, and what came of each.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client::GrpcService,
    codec::CompressionEncoding,
    metadata::{KeyAndValueRef, MetadataMap, MetadataValue},
};
use ziggurat_testkit::{EchoClient, EchoReply, EchoRequest};

/// What a test calls through.
pub(super) trait Transport:
    GrpcService<
        Body,
        ResponseBody: http_body::Body<Data = Bytes, Error: Into<Error> + Send> + Send + 'static,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl<T> Transport for T where
    T: GrpcService<
            Body,
            ResponseBody: http_body::Body<Data = Bytes, Error: Into<Error> + Send> + Send + 'static,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

pub(super) fn say(message: &str) -> EchoRequest {
    EchoRequest {
        message: message.to_owned(),
        ..EchoRequest::default()
    }
}

/// A line for what came of each call, for all that a channel must not change.
pub(super) async fn run<T: Transport>(client: EchoClient<T>) -> Vec<String> {
    let mut client = client
        .max_decoding_message_size(usize::MAX)
        .accept_compressed(CompressionEncoding::Gzip);
    let mut lines = Vec::new();
    unary(&mut client, &mut lines).await;
    failures(&mut client, &mut lines).await;
    streams(&mut client, &mut lines).await;
    lines
}

async fn unary<T: Transport>(client: &mut EchoClient<T>, lines: &mut Vec<String>) {
    let hello = EchoRequest {
        payload: vec![0, 255].into(),
        repeat: 7,
        ..say("hello")
    };
    for request in [hello, EchoRequest::default()] {
        lines.push(told(client.unary(request).await));
    }
    let large = EchoRequest {
        payload: (0..3 << 20).map(|at| at as u8).collect::<Vec<_>>().into(),
        ..say("large")
    };
    lines.push(told(client.unary(large).await));
    let mut request = Request::new(say("metadata"));
    let metadata = request.metadata_mut();
    metadata.insert("own-text", MetadataValue::from_static("a b"));
    metadata.insert_bin("own-bytes-bin", MetadataValue::from_bytes(b"\x00\x80\xff"));
    lines.push(told(client.unary(request).await));
}

async fn failures<T: Transport>(client: &mut EchoClient<T>, lines: &mut Vec<String>) {
    for code in 1..=16 {
        let request = EchoRequest {
            payload: Bytes::from_static(b"\x08\x07\x00\xfe"),
            ..say(&format!("fail {code}"))
        };
        lines.push(told(client.unary(request).await));
    }
    let late = EchoRequest {
        repeat: 3,
        payload: vec![1].into(),
        ..say("fail 9")
    };
    let mut replies = client.server_stream(late).await.unwrap().into_inner();
    while let Some(reply) = replies.next().await {
        lines.push(told(reply.map(Response::new)));
    }
}

async fn streams<T: Transport>(client: &mut EchoClient<T>, lines: &mut Vec<String>) {
    let many = EchoRequest {
        repeat: 50,
        ..say("many")
    };
    let mut replies = client.server_stream(many).await.unwrap().into_inner();
    while let Some(reply) = replies.next().await {
        lines.push(told(reply.map(Response::new)));
    }
    let trailers = replies.trailers().await.unwrap().unwrap_or_default();
    lines.push(own(&trailers));

    let parts = stream::iter(0..50_u8).map(|part| EchoRequest {
        payload: vec![part].into(),
        ..say(&part.to_string())
    });
    lines.push(told(client.client_stream(parts).await));

    let (says, said) = mpsc::channel(1);
    let turns = stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let first = says.send(say("turn 0"));
    let (answer, sent) = tokio::join!(client.bidi(turns), first);
    sent.unwrap();
    let mut answers = answer.unwrap().into_inner();
    for turn in 1..50 {
        let answer = answers.next().await.unwrap();
        lines.push(told(answer.map(Response::new)));
        says.send(say(&format!("turn {turn}"))).await.unwrap();
    }
    drop(says);
    while let Some(answer) = answers.next().await {
        lines.push(told(answer.map(Response::new)));
    }
}

/// What we promise beyond a bare channel, and what the server sees of it.
pub(super) async fn promises<T: Transport>(mut client: EchoClient<T>) {
    let mut request = Request::new(say("wait"));
    request.set_timeout(Duration::from_millis(200));
    let late = client.unary(request).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");

    let mut request = Request::new(say("remaining"));
    request.set_timeout(Duration::from_secs(20));
    let remaining = client.unary(request).await.unwrap().into_inner().message;
    let remaining: u32 = remaining.parse().unwrap();
    assert!((15_000..=20_000).contains(&remaining), "{remaining}");

    let attempts = client.unary(say("attempts")).await.unwrap().into_inner();
    assert_eq!(attempts.message, "none");

    let waiting = EchoRequest {
        repeat: 1,
        ..say("wait")
    };
    let mut replies = client.server_stream(waiting).await.unwrap().into_inner();
    assert!(replies.next().await.unwrap().is_ok());
    drop(replies);
    let both_cancelled = async {
        while cancelled(&mut client).await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), both_cancelled).await;
    told.expect("the server hears of the call that was late and of the stream that was dropped");
}

async fn cancelled<T: Transport>(client: &mut EchoClient<T>) -> u32 {
    let answer = client.unary(say("cancelled")).await.unwrap();
    answer.into_inner().repeat
}

fn told(result: Result<Response<EchoReply>, Status>) -> String {
    match result {
        Ok(response) => {
            let metadata = own(response.metadata());
            let reply = response.into_inner();
            let sum = reply
                .payload
                .iter()
                .map(|byte| u64::from(*byte))
                .sum::<u64>();
            let message: String = reply.message.chars().take(40).collect();
            let (repeat, length) = (reply.repeat, reply.payload.len());
            format!(
                "{message:?} {repeat} {length} {sum} {} {metadata}",
                reply.server
            )
        }
        Err(status) => format!(
            "{:?} {:?} {:?} {}",
            status.code(),
            status.message(),
            status.details(),
            own(status.metadata())
        ),
    }
}

/// The metadata that is the test's own.
fn own(metadata: &MetadataMap) -> String {
    let mut own: Vec<_> = metadata
        .iter()
        .map(|pair| match pair {
            KeyAndValueRef::Ascii(key, value) => format!("{key}: {value:?}"),
            KeyAndValueRef::Binary(key, value) => format!("{key}: {:?}", value.to_bytes()),
        })
        .filter(|line| line.starts_with("own-"))
        .collect();
    own.sort();
    own.join(", ")
}
