//! The gateway as its clients see it, over HTTP: what must be true of it, and whether it is.

#[path = "http.rs"]
mod http;

use super::app::{App, Options};
use serde_json::Value;
use std::{
    fmt::Debug,
    io,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};
use tokio::{task::JoinSet, time};
use ziggurat::{client::Ziggurat, coord::Registry, core::clock};

const TRACE: &str = "0190a5c27b1e7c3d9e4f0123456789ab";
const JSON: &str = "content-type: application/json\r\n";
const ADA: &str = r#"{"name": "Ada"}"#;
/// Another client, by its address.
const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Few enough that 200 at once are too many, however slow the machine is.
const LIMIT: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// So many that it is not the rate which refuses.
const MANY: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
/// As long as it takes to look.
const LONG: Duration = Duration::from_secs(600);

/// Checks everything on gateways of its own; prints each sentence, and whether it is true.
pub(crate) async fn all(ziggurat: &Ziggurat) -> io::Result<bool> {
    let start = async |grace| {
        let options = Options {
            limit: LIMIT,
            grace,
            ..Options::default()
        };
        App::start(ziggurat, None, options).await
    };
    let (one, other) = (start(LONG).await?, start(Duration::ZERO).await?);
    let address = one.address();
    let mut all = true;
    let mut say = |sentence: &str, checked: io::Result<()>| {
        all &= checked.is_ok();
        match checked {
            Ok(()) => println!("yes  {sentence}"),
            Err(why) => println!("NO   {sentence}: {why}"),
        }
    };
    say(
        "two services answer one request, as JSON and in one trace",
        json(address).await,
    );
    say(
        "who has no time left is told so, in time, and when to come back",
        timeout(address).await,
    );
    say(
        "a stream arrives as events, to its end",
        events(address).await,
    );
    say(
        "what makes no sense is the client's fault",
        nonsense(address).await,
    );
    say(
        "who asks too often is told when to come back",
        limited(address).await,
    );
    say(
        "a service that nobody serves is 503, with a time to come back",
        nobody().await,
    );
    say(
        "who finds no place is told when to come back, too",
        crowded(ziggurat).await,
    );
    say("all of that is counted", counted(address).await);
    say(
        "while it leaves it is not ready, and serves who has not heard",
        leave(one).await,
    );
    say(
        "it ends when its streams have, which are told of it",
        end(other).await,
    );
    Ok(all)
}

async fn json(address: SocketAddr) -> io::Result<()> {
    let headers = format!("{JSON}traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let answer = http::post(address, "/greetings", &headers, ADA).await?;
    ensure(answer.status == 200, &answer)?;
    let told = answer
        .header("x-trace-id")
        .unwrap_or_default()
        .replace('-', "");
    ensure(told == TRACE, &answer)?;
    let body: Value = serde_json::from_str(&answer.body)?;
    ensure(body["greeting"] == "hello, Ada", &answer)?;
    for (place, service) in ["greeter", "news"].into_iter().enumerate() {
        let served = &body["served_by"][place];
        ensure(
            served["service"] == service && served["trace_id"] == TRACE,
            &answer,
        )?;
    }
    Ok(())
}

async fn timeout(address: SocketAddr) -> io::Result<()> {
    let headers = format!("{JSON}x-timeout-ms: 100\r\n");
    let slow = r#"{"name": "Ada", "think_ms": 30000}"#;
    let began = clock::now();
    let answer = http::post(address, "/greetings", &headers, slow).await?;
    ensure(
        answer.status == 504 && answer.header("retry-after") == Some("1"),
        &answer,
    )?;
    // A busy machine is late; one that waits for the backend is later.
    ensure(
        clock::now().saturating_duration_since(began) < Duration::from_secs(20),
        &answer,
    )
}

async fn events(address: SocketAddr) -> io::Result<()> {
    let answer = http::get(address, "/news/rust/3").await?;
    ensure(
        answer.header("content-type") == Some("text/event-stream"),
        &answer,
    )?;
    ensure(answer.body.matches("event: news").count() == 3, &answer)?;
    ensure(answer.body.contains("event: end\ndata: complete"), &answer)
}

async fn nonsense(address: SocketAddr) -> io::Result<()> {
    for (body, status) in [("{", 400), ("{}", 422), (r#"{"name": 1}"#, 422), ("", 400)] {
        let answer = http::post(address, "/greetings", JSON, body).await?;
        ensure(answer.status == status, &answer)?;
    }
    let answer = http::get(address, "/news/rust/-1").await?;
    ensure(answer.status == 400, &answer)?;
    ensure(http::get(address, "/nowhere").await?.status == 404, &answer)
}

async fn limited(address: SocketAddr) -> io::Result<()> {
    let mut requests = JoinSet::new();
    for _ in 0..200 {
        requests.spawn(http::post(
            address,
            "/greetings",
            JSON,
            r#"{"name": "Ada"}"#,
        ));
    }
    let answers = requests.join_all().await;
    let answers = answers.into_iter().collect::<io::Result<Vec<_>>>()?;
    let limited = answers.iter().find(|answer| answer.status == 429);
    let limited = limited.ok_or_else(|| io::Error::other("200 at once were admitted"))?;
    ensure(limited.header("retry-after") == Some("1"), limited)?;
    let other = http::post_from(ANOTHER, address, "/greetings", JSON, ADA).await;
    match other {
        Ok(other) => ensure(other.status == 200, &other)?,
        // Not every machine has more than one address of its own.
        Err(error) => println!("     (no other client can be tried here: {error})"),
    }
    let others = answers
        .iter()
        .find(|answer| ![200, 429].contains(&answer.status));
    others.map_or(Ok(()), |other| ensure(false, other))
}

async fn crowded(ziggurat: &Ziggurat) -> io::Result<()> {
    let options = Options {
        limit: MANY,
        ..Options::default()
    };
    let app = App::start(ziggurat, None, options).await?;
    let headers = format!("{JSON}x-timeout-ms: 3000\r\n");
    let slow = r#"{"name": "Ada", "think_ms": 30000}"#;
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        requests.spawn(http::post(app.address(), "/greetings", &headers, slow));
    }
    while let Some(answer) = requests.join_next().await {
        let answer = answer??;
        if answer.status == 429 {
            return ensure(answer.header("retry-after") == Some("1"), &answer);
        }
    }
    Err(io::Error::other("100 that take long all found a place"))
}

async fn nobody() -> io::Result<()> {
    let ziggurat = Ziggurat::new(Registry::memory());
    let timeout = Duration::from_secs(30);
    let options = Options {
        timeout,
        ..Options::default()
    };
    let app = App::start(&ziggurat, None, options).await?;
    let answer = http::post(app.address(), "/greetings", JSON, ADA).await?;
    ensure(
        answer.status == 503 && answer.header("retry-after") == Some("1"),
        &answer,
    )
}

async fn counted(address: SocketAddr) -> io::Result<()> {
    let answer = http::get(address, "/metrics").await?;
    for text in [
        "gateway_requests_total{route=\"/greetings\",status=\"200\"}",
        "gateway_limited_total",
        "gateway_requests_total{route=\"/greetings\",status=\"504\"}",
        "gateway_rejected_total{code=\"RESOURCE_EXHAUSTED\"}",
        "gateway_request_seconds_bucket",
        "gateway_endpoints{service=\"news\"} 2",
        "gateway_in_flight 0",
    ] {
        ensure(
            answer.body.contains(text),
            &format!("no {text} in {answer:?}"),
        )?;
    }
    ensure(http::get(address, "/healthz").await?.status == 200, &answer)?;
    ensure(http::get(address, "/readyz").await?.status == 200, &answer)
}

async fn leave(app: App) -> io::Result<()> {
    let address = app.address();
    let mut stopping = JoinSet::new();
    stopping.spawn(app.stop());
    while http::get(address, "/readyz").await?.status == 200 {
        time::sleep(Duration::from_millis(5)).await;
    }
    loop {
        let late = http::post(address, "/greetings", JSON, ADA).await?;
        match late.status {
            429 => time::sleep(Duration::from_millis(50)).await,
            status => return ensure(status == 200, &late),
        }
    }
}

async fn end(app: App) -> io::Result<()> {
    let address = app.address();
    let mut streams = JoinSet::new();
    streams.spawn(http::get(address, "/news/rust/100000"));
    while http::get(address, "/metrics")
        .await?
        .body
        .contains("gateway_in_flight 0")
    {
        time::sleep(Duration::from_millis(5)).await;
    }
    let drained = app.stop().await?;
    ensure(drained.is_clean(), &drained)?;
    let stream = streams.join_next().await;
    let stream = stream.ok_or_else(|| io::Error::other("no stream"))???;
    ensure(stream.body.contains("the gateway goes away"), &stream)?;
    let gone = http::get(address, "/healthz").await;
    ensure(gone.is_err(), &gone)
}

fn ensure(is_so: bool, shown: &impl Debug) -> io::Result<()> {
    match is_so {
        true => Ok(()),
        false => Err(io::Error::other(format!("{shown:?}"))),
    }
}
