//! What browsers ask before they call, and bodies that nobody reads: through the way into a server, and
//! through the gateway.

use crate::{
    gateway::app::{App, Options},
    http,
    serving::Port,
};
use ::http::Method;
use axum::{
    Router,
    routing::{get, post},
};
use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tower_http::cors::{Any, CorsLayer};
use ziggurat::{
    client::Ziggurat,
    coord::Registry,
    limit::{Rate, RateLimitLayer},
    server::ServerLayer,
    trust::TrustLayer,
};

const ORIGIN: &str = "origin: https://shop.example\r\n";
const PREFLIGHT: &str = "origin: https://shop.example\r\naccess-control-request-method: POST\r\n\
    access-control-request-headers: content-type,grpc-timeout,traceparent\r\n";
const ALLOWED: &str = "access-control-allow-origin";
/// Longer than anything takes on a machine that is busy.
const LONG: Duration = Duration::from_secs(60);

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::POST])
        .allow_headers(Any)
}

/// One call, and one more every hour.
fn once() -> ServerLayer<TrustLayer, RateLimitLayer> {
    let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
    ServerLayer::edge().rate_limit(RateLimitLayer::new(rate))
}

fn orders() -> Router {
    Router::new().route("/orders", post(async || "ordered"))
}

#[tokio::test]
async fn what_a_browser_asks_first_costs_nothing_outside_of_the_limits_and_refusals_are_readable() {
    let port = Port::serve(orders().layer(once()).layer(cors())).await;
    for _ in 0..5 {
        let answer = http::ask(port.address, "OPTIONS", "/orders", PREFLIGHT).await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (200, Some("*")));
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    }
    for status in [200, 429] {
        let answer = http::ask(port.address, "POST", "/orders", ORIGIN).await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (status, Some("*")));
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
}

#[tokio::test]
async fn inside_of_the_limits_it_is_a_call_like_others_and_passes_as_one() {
    let port = Port::serve(orders().layer(cors()).layer(ServerLayer::edge())).await;
    let answer = http::ask(port.address, "OPTIONS", "/orders", PREFLIGHT).await;
    assert_eq!((answer.status, answer.header(ALLOWED)), (200, Some("*")));

    let port = Port::serve(orders().layer(cors()).layer(once())).await;
    for (status, allowed) in [(200, Some("*")), (429, None)] {
        let answer = http::ask(port.address, "OPTIONS", "/orders", PREFLIGHT).await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (status, allowed));
    }
}

/// A gateway that lets one request of a client pass.
async fn gateway() -> App {
    let ziggurat = Ziggurat::new(Registry::memory());
    let options = Options {
        limit: NonZeroU32::MIN,
        ..Options::default()
    };
    App::start(&ziggurat, None, options).await.unwrap()
}

#[tokio::test]
async fn the_gateway_lets_no_page_from_elsewhere_call_it() {
    let app = gateway().await;
    let answer = http::ask(app.address(), "OPTIONS", "/greetings", PREFLIGHT).await;
    assert_eq!((answer.status, answer.header(ALLOWED)), (405, None));
}

/// A body that would be a request if its end were taken for that of another.
fn smuggled(length: usize) -> Vec<u8> {
    let request = b"\r\n\r\nGET /evil HTTP/1.1\r\nhost: test\r\n\r\n";
    request.iter().copied().cycle().take(length).collect()
}

/// POSTs what nobody reads, and asks for `then` on the same connection; all that came back, to its end.
async fn unread(
    address: SocketAddr,
    path: &str,
    length: usize,
    chunked: bool,
    then: &str,
) -> String {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut reads, mut writes) = socket.into_split();
    let body = smuggled(length);
    let framing = match chunked {
        true => "transfer-encoding: chunked".to_owned(),
        false => format!("content-length: {length}"),
    };
    let mut sent = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    )
    .into_bytes();
    if chunked {
        sent.extend(format!("{length:x}\r\n").into_bytes());
    }
    sent.extend(body);
    if chunked {
        sent.extend(b"\r\n0\r\n\r\n");
    }
    let next = format!("GET {then} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    sent.extend(next.into_bytes());
    // In one piece: what is short is there before anybody is done with it. What is long may find it closed.
    let write = async move { writes.write_all(&sent).await.map(|()| writes) };
    let read = async move {
        let (mut all, mut some) = (Vec::new(), [0; 4_096]);
        while let Ok(length @ 1..) = reads.read(&mut some).await {
            all.extend_from_slice(&some[..length]);
        }
        String::from_utf8_lossy(&all).into_owned()
    };
    let both = async { tokio::join!(write, read) };
    let (_written, all) = time::timeout(LONG, both).await.expect("it is answered");
    all
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_a_request() {
    let evil = Arc::new(AtomicU32::new(0));
    let called = Arc::clone(&evil);
    let router = orders()
        .layer(once())
        .route("/hello", get(async || "hello"))
        .route(
            "/evil",
            get(async move || called.fetch_add(1, Ordering::Relaxed).to_string()),
        );
    let port = Port::serve(router).await;
    assert_eq!(
        http::ask(port.address, "POST", "/orders", "").await.status,
        200
    );
    for length in [1, 40, 4_000, 100_000, 4_000_000] {
        for chunked in [false, true] {
            let all = unread(port.address, "/orders", length, chunked, "/hello").await;
            assert!(all.starts_with("HTTP/1.1 429 "), "{length}: {all}");
            // What is left of a short one is read, and its connection is used again; else it is closed.
            let answers = all.matches("HTTP/1.1 ").count();
            let served = all.ends_with("hello");
            assert!(answers == 1 + usize::from(served), "{length}: {all}");
            assert!(served || length > 40, "{length}: {all}");
        }
    }
    assert_eq!(evil.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nor_is_one_that_the_gateway_refuses() {
    let app = gateway().await;
    for length in [40, 4_000_000] {
        for chunked in [false, true] {
            let all = unread(app.address(), "/greetings", length, chunked, "/healthz").await;
            let refused = ["400", "413", "429"].map(|status| format!("HTTP/1.1 {status} "));
            assert!(refused.iter().any(|head| all.starts_with(head)), "{all}");
            let served = all.ends_with("alive\n");
            assert!(
                all.matches("HTTP/1.1 ").count() == 1 + usize::from(served),
                "{all}"
            );
            assert!(served || length > 40, "{all}");
        }
    }
}
