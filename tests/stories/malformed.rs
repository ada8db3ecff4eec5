//! Servers that send nonsense: a generated client gets a status, and never panics.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::Code;
use tower::util::MapResponseLayer;
use ziggurat::{
    client::RequestExt,
    core::{BoxError, Dice},
};
use ziggurat_testkit::{EchoClient, EchoServer};

use crate::house::{House, hello};

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What a server says instead of the truth.
#[derive(Clone, Debug, Default)]
struct Lie {
    /// In the head of the answer, which has no body then.
    head: HeaderMap,
    /// In the trailers, after a message.
    trailers: HeaderMap,
}

/// An empty message.
const MESSAGE: &[u8] = &[0; 5];

// === impl Lie ===

impl Lie {
    fn head(pairs: &[(&'static str, &[u8])]) -> Self {
        Self {
            head: headers(pairs),
            ..Self::default()
        }
    }

    fn trailers(pairs: &[(&'static str, &[u8])]) -> Self {
        Self {
            trailers: headers(pairs),
            ..Self::default()
        }
    }

    fn answer(&self) -> Response<Body> {
        let bytes = match self.trailers.is_empty() {
            true => Bytes::new(),
            false => Bytes::from_static(MESSAGE),
        };
        let trailers = (!self.trailers.is_empty()).then(|| Ok(self.trailers.clone()));
        let body = Full::new(bytes).with_trailers(std::future::ready(trailers));
        let body = body.map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.headers_mut() = self.head.clone();
        let content_type = HeaderValue::from_static("application/grpc");
        response
            .headers_mut()
            .entry("content-type")
            .or_insert(content_type);
        response
    }
}

fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_bytes(value).unwrap())
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

/// A house whose one server tells the present lie.
async fn liar() -> (House, Arc<Mutex<Lie>>) {
    let lie = Arc::new(Mutex::new(Lie::default()));
    let told = Arc::clone(&lie);
    let answer = move |_: Response<tonic::body::Body>| told.lock().unwrap().answer();
    let server = EchoServer::setup().layer(MapResponseLayer::new(answer));
    let server = server.start().await;
    let mut house = House::of(0).await;
    house.register("liar", &server).await;
    house.servers.push(server);
    (house, lie)
}

#[tokio::test]
async fn details_that_are_not_base64_cost_the_details_and_not_the_status() {
    let (house, lie) = liar().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for bad in [
        &b"%%%"[..],
        b"A",
        b"AB==",
        b"AA==,AA==",
        b"\xff\xfe",
        b"====",
    ] {
        let pairs = [
            ("grpc-status", &b"9"[..]),
            ("grpc-message", b"not%20yet"),
            ("grpc-status-details-bin", bad),
        ];
        for told in [Lie::head(&pairs), Lie::trailers(&pairs)] {
            *lie.lock().unwrap() = told;
            let status = client.unary(hello()).await.unwrap_err();
            let told = (status.code(), status.message(), status.details());
            assert_eq!(told, (Code::FailedPrecondition, "not yet", &b""[..]));
        }
    }
}

#[tokio::test]
async fn good_details_come_through() {
    let (house, lie) = liar().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for good in [&b"CAcA/g"[..], b"CAcA/g=="] {
        let pairs = [
            ("grpc-status", &b"9"[..]),
            ("grpc-status-details-bin", good),
        ];
        for told in [Lie::head(&pairs), Lie::trailers(&pairs)] {
            *lie.lock().unwrap() = told;
            let status = client.unary(hello()).await.unwrap_err();
            assert_eq!(status.details(), b"\x08\x07\x00\xfe");
        }
    }
}

#[tokio::test]
async fn a_status_that_is_none_is_unknown() {
    for bad in [
        &b""[..],
        b"17",
        b"-1",
        b"9999999999999999999999",
        b"0x0",
        b"\xf0",
    ] {
        // Each on its own: many failures in a row open the circuit.
        let (house, lie) = liar().await;
        let mut client = EchoClient::new(house.ziggurat().channel("echo"));
        *lie.lock().unwrap() = Lie::head(&[("grpc-status", bad)]);
        let status = client.unary(hello()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown, "{bad:?}");
    }
}

#[tokio::test]
async fn a_pushback_that_makes_no_sense_forbids_retries() {
    for bad in [
        &b""[..],
        b"soon",
        b"-9223372036854775809",
        b"99999999999",
        b"1e3",
        b"\xff",
    ] {
        let (house, lie) = liar().await;
        let mut client = EchoClient::new(house.ziggurat().channel("echo"));
        let pairs = [("grpc-status", &b"14"[..]), ("grpc-retry-pushback-ms", bad)];
        *lie.lock().unwrap() = Lie::head(&pairs);
        let status = client.unary(hello()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{bad:?}");
        assert_eq!(house.arrived(), [1], "{bad:?}");
    }
}

#[tokio::test]
async fn trailers_without_end_are_refused() {
    let (house, lie) = liar().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let giant = vec![b'a'; 1 << 20];
    *lie.lock().unwrap() = Lie::trailers(&[("grpc-status", b"0"), ("giant", &giant)]);
    let status = client.unary(hello()).await.unwrap_err();
    assert_ne!(status.code(), Code::Ok, "{status:?}");
    // The next call is served, by another connection if that one was given up.
    *lie.lock().unwrap() = Lie::trailers(&[("grpc-status", b"0")]);
    client.unary(hello().wait_for_ready()).await.unwrap();
}

/// Random bytes in every header that a layer or a generated client reads of an answer.
#[tokio::test]
async fn whatever_stands_in_the_headers_of_an_answer_nothing_panics() {
    const NAMES: [&str; 12] = [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-retry-pushback-ms",
        "grpc-encoding",
        "grpc-accept-encoding",
        "content-type",
        "retry-after",
        "traceparent",
        "x-text",
        "x-bytes-bin",
        "endpoint-load-metrics-bin",
    ];
    let (house, lie) = liar().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let dice = Dice::seeded(58);
    for round in 0..1_000 {
        let names = NAMES.iter().filter(|_| dice.below(3) == 0);
        let values: Vec<_> = names.map(|name| (*name, text(&dice))).collect();
        let pairs: Vec<_> = values
            .iter()
            .map(|(name, value)| (*name, &value[..]))
            .collect();
        *lie.lock().unwrap() = match dice.below(3) {
            0 => Lie::head(&pairs),
            1 => Lie::trailers(&pairs),
            _ => Lie {
                head: headers(&pairs[..pairs.len() / 2]),
                trailers: headers(&pairs[pairs.len() / 2..]),
            },
        };
        let call = tokio::time::timeout(Duration::from_secs(10), client.unary(hello()));
        let answered = call.await;
        assert!(answered.is_ok(), "round {round}: {values:?}");
    }
}

/// Something that a header may hold: digits, base64 or any byte, often near what is right.
fn text(dice: &Dice) -> Vec<u8> {
    let length = dice.below(12);
    let alphabet: &[u8] = match dice.below(4) {
        0 => b"0123456789",
        1 => b"ABab01+/=",
        2 => b"-%, ;:.e",
        _ => &[],
    };
    let byte = |_| match alphabet {
        // All that HTTP allows.
        [] => *[b' ', b'~', 0x80, 0xff, b'\t', b'A']
            .get(dice.below(6))
            .unwrap_or(&b'A'),
        some => some[dice.below(some.len())],
    };
    (0..length).map(byte).collect()
}
