#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! What comes through to the service, by who sent it.

use http::{Request, header::HeaderMap};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_core::{CallOptions, Criticality, Live};
use ziggurat_testkit::{Echo, assert_clone, assert_send, assert_sync};
use ziggurat_trust::{
    Distrusted, Observer, Peer, PeerExtractor, Settings, Trust, TrustLayer, Unknown,
};

#[path = "trust/values.rs"]
mod values;

const SECOND: Duration = Duration::from_secs(1);
const PARENT: &str = "00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7";

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Distrusted>>>);

#[derive(Clone, Copy)]
struct Certified;

impl Observer for Heard {
    fn distrusted(&self, what: Distrusted) {
        self.0.lock().unwrap().push(what);
    }
}

fn peer(extensions: &http::Extensions) -> Peer {
    let address = extensions.get().map(SocketAddr::ip);
    Peer::at(address).certified(extensions.get::<Certified>().is_some())
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn from(address: &str, headers: &[(&str, &str)]) -> Request<()> {
    let address: IpAddr = address.parse().unwrap();
    let mut request = request(headers);
    request
        .extensions_mut()
        .insert(SocketAddr::from((address, 4_711)));
    request
}

async fn through<P>(layer: &TrustLayer<P>, request: Request<()>) -> HeaderMap
where
    P: PeerExtractor + Clone,
{
    let inner = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(request.into_parts().0.headers)
    });
    layer.layer(inner).oneshot(request).await.unwrap()
}

/// What comes through of one header.
async fn one(settings: &Settings, name: &str, value: &str) -> Option<String> {
    let layer = TrustLayer::edge(settings.clone());
    let headers = through(&layer, request(&[(name, value)])).await;
    let value = headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

const STEERING: [(&str, &str); 12] = [
    ("x-criticality", "CRITICAL_PLUS"),
    ("ziggurat-chain-stop", "1"),
    ("grpc-previous-rpc-attempts", "4"),
    ("baggage", "user=root"),
    (
        "traceparent",
        "00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01",
    ),
    ("tracestate", "a=b"),
    ("x-request-id", "<script>"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "evil.example"),
    ("forwarded", "for=127.0.0.1"),
    ("x-real-ip", "127.0.0.1"),
    ("grpc-timeout", "99999999H"),
];

#[tokio::test]
async fn nothing_that_steers_comes_from_a_stranger() {
    let heard = Heard::default();
    let settings = Settings::new().timeout(30 * SECOND).unwrap();
    let layer = TrustLayer::edge(settings).observe_with(heard.clone());
    let mut sent = request(&STEERING);
    sent.headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    let headers = through(&layer, sent).await;
    let mut left: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    left.sort_unstable();
    let unsampled = format!("{PARENT}-00");
    let expected = [
        ("content-type", "application/grpc"),
        ("grpc-timeout", "30000000u"),
        ("traceparent", &*unsampled),
        ("tracestate", "a=b"),
        ("x-criticality", "CRITICAL"),
    ];
    assert_eq!(left, expected);
    let heard = heard.0.lock().unwrap().clone();
    let expected = [
        Distrusted::Criticality,
        Distrusted::Attempts,
        Distrusted::Baggage,
        Distrusted::Trace,
        Distrusted::Id,
        Distrusted::Forwarding,
        Distrusted::Deadline,
    ];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn whoever_is_believed_says_what_it_likes() {
    // The last is IPv4 mapped into IPv6, as operators write it who listen on both.
    let networks =
        ["10.0.0.0/8", "fd00::/8", "::ffff:192.0.2.0/120"].map(|network| network.parse().unwrap());
    let settings = Settings::new().timeout(SECOND).unwrap();
    let layer = TrustLayer::internal(networks, settings).peer_with(peer);
    for (address, believed) in [
        ("10.1.2.3", true),
        ("fd00::7", true),
        ("::ffff:10.1.2.3", true),
        ("11.1.2.3", false),
        ("fe80::1", false),
        ("192.0.2.7", true),
        ("::ffff:192.0.2.7", true),
        ("192.0.3.7", false),
    ] {
        let headers = through(&layer, from(address, &STEERING)).await;
        assert_eq!(
            headers == *request(&STEERING).headers(),
            believed,
            "{address}"
        );
    }
    // Whoever cannot be told is a stranger, and so is everybody when nobody can be.
    assert_ne!(
        through(&layer, request(&STEERING)).await.len(),
        STEERING.len()
    );
    let nobody = TrustLayer::internal(networks, Settings::new());
    assert_ne!(
        through(&nobody, from("10.1.2.3", &STEERING)).await.len(),
        STEERING.len()
    );
}

#[tokio::test]
async fn a_certificate_is_believed_only_where_that_was_asked_for() {
    let layer = TrustLayer::internal([], Settings::new()).peer_with(peer);
    let certified = || {
        let mut request = from("192.0.2.1", &STEERING);
        request.extensions_mut().insert(Certified);
        request
    };
    assert_ne!(through(&layer, certified()).await.len(), STEERING.len());
    let layer = layer.believe_certificates();
    assert_eq!(through(&layer, certified()).await.len(), STEERING.len());
    let without = from("192.0.2.1", &STEERING);
    assert_ne!(through(&layer, without).await.len(), STEERING.len());
}

#[tokio::test]
async fn a_proxy_says_whom_it_forwards_for_and_nothing_else() {
    let settings = Settings::new().proxies(["10.0.0.0/8".parse().unwrap()]);
    let layer = TrustLayer::edge(settings).peer_with(peer);
    let headers = through(&layer, from("10.0.0.1", &STEERING)).await;
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["forwarded"], "for=127.0.0.1");
    assert_eq!(headers["x-criticality"], "CRITICAL");
    assert!(!headers.contains_key("baggage"));
    let headers = through(&layer, from("192.0.2.1", &STEERING)).await;
    assert!(
        headers
            .keys()
            .all(|name| !name.as_str().contains("forward"))
    );
}

#[tokio::test]
async fn nobody_says_of_itself_where_it_comes_from_in_any_words() {
    let layer = TrustLayer::edge(Settings::new());
    for name in [
        "Forwarded",
        "X-FORWARDED-FOR",
        "x-forwarded-client-cert",
        "x-forwarded",
        "x-original-forwarded-for",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "cloudfront-viewer-address",
        "forwarded-for",
        "client-ip",
        "cf-pseudo-ipv4",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-nf-client-connection-ip",
        "x-originating-ip",
        "x-remote-ip",
        "x-vercel-forwarded-for",
        "x-envoy-external-address",
    ] {
        let mut sent = request(&[(name, "127.0.0.1"), (name, "::1")]);
        let foreign = http::HeaderValue::from_bytes(b"\xe9\xff").unwrap();
        let key: http::HeaderName = name.parse().unwrap();
        sent.headers_mut().append(key, foreign);
        assert!(through(&layer, sent).await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn extensions_are_of_this_process_and_settings_may_change() {
    let (setter, live) = Live::channel(Settings::new());
    let layer = TrustLayer::edge(live);
    let inner = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(request.extensions().get::<CallOptions>().copied())
    });
    let mut sent = request(&[]);
    let options = CallOptions::new().wait_for_ready(true);
    sent.extensions_mut().insert(options);
    assert_eq!(
        layer.layer(inner).oneshot(sent).await.unwrap(),
        Some(options)
    );

    setter.set(Settings::new().criticality(Criticality::SheddablePlus));
    let headers = through(&layer, request(&[])).await;
    assert_eq!(headers["x-criticality"], "SHEDDABLE_PLUS");
}

#[test]
fn a_bound_that_makes_no_sense_is_refused_by_name() {
    for timeout in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
        assert_eq!(
            Settings::new().timeout(timeout).unwrap_err().field(),
            "timeout"
        );
    }
}

#[test]
fn a_layer_needs_no_runtime_and_all_is_send_sync_and_clone() {
    drop(TrustLayer::edge(Settings::new()).layer(Echo));
    assert_clone::<TrustLayer>();
    assert_clone::<Trust<Echo, Unknown>>();
    assert_send::<Trust<Echo>>();
    assert_sync::<Trust<Echo>>();
}
