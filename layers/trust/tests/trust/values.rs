//! What of a header comes through from a stranger, value by value.

use crate::{PARENT, SECOND, one, request, through};
use ziggurat_core::Criticality;
use ziggurat_trust::{Settings, TrustLayer};

#[tokio::test]
async fn a_stranger_may_matter_less_but_not_more() {
    let sheddable = Settings::new().criticality(Criticality::Sheddable);
    for (settings, said, becomes) in [
        (
            Settings::new(),
            Some(("x-criticality", "SHEDDABLE")),
            Criticality::Sheddable,
        ),
        (
            Settings::new(),
            Some(("x-criticality", "critical-plus")),
            Criticality::Critical,
        ),
        (
            Settings::new(),
            Some(("baggage", "criticality=SHEDDABLE")),
            Criticality::Sheddable,
        ),
        (
            Settings::new(),
            Some(("x-criticality", "nonsense")),
            Criticality::Critical,
        ),
        (Settings::new(), None, Criticality::Critical),
        (
            sheddable.clone(),
            Some(("x-criticality", "nonsense")),
            Criticality::Sheddable,
        ),
        (sheddable, None, Criticality::Sheddable),
    ] {
        let layer = TrustLayer::edge(settings);
        let mut request = request(said.as_slice());
        *request.headers_mut() = through(&layer, request.clone()).await;
        assert_eq!(Criticality::of(&request), becomes, "{said:?}");
    }
    let both = request(&[("x-criticality", "?"), ("baggage", "criticality=SHEDDABLE")]);
    let headers = through(&TrustLayer::edge(Settings::new()), both).await;
    assert_eq!(headers["x-criticality"], "SHEDDABLE");
    // Whoever says it twice is heard once.
    let twice = request(&[
        ("x-criticality", "SHEDDABLE"),
        ("x-criticality", "CRITICAL_PLUS"),
    ]);
    let headers = through(&TrustLayer::edge(Settings::new()), twice).await;
    assert_eq!(headers.get_all("x-criticality").iter().count(), 1);
}

#[tokio::test]
async fn a_deadline_is_bounded_and_a_call_that_names_none_is_left_to_the_server() {
    let header = http::HeaderName::from_static("x-timeout-ms");
    let settings = Settings::new()
        .timeout(SECOND)
        .unwrap()
        .timeout_header(header);
    for (name, said, becomes) in [
        ("grpc-timeout", "500m", "500m"),
        ("grpc-timeout", "1S", "1S"),
        ("grpc-timeout", "2S", "1000000u"),
        ("grpc-timeout", "soon", "1000000u"),
        ("grpc-timeout", "-1S", "1000000u"),
        ("x-timeout-ms", "999", "999"),
        ("x-timeout-ms", "1001", "1000"),
        ("x-timeout-ms", "99999999999999999999", "1000"),
        ("x-timeout-ms", "+5", "1000"),
        ("x-timeout-ms", "", "1000"),
    ] {
        let left = one(&settings, name, said).await;
        assert_eq!(left.as_deref(), Some(becomes), "{said}");
    }
    let layer = TrustLayer::edge(settings);
    // What the server gives to whoever names none is for its deadline layer to say.
    assert!(through(&layer, request(&[])).await.is_empty());
    let twice = request(&[("grpc-timeout", "1m"), ("grpc-timeout", "9H")]);
    let headers = through(&layer, twice).await;
    assert_eq!(headers.get_all("grpc-timeout").iter().count(), 1);
    // Nobody asked for a bound: none is set, whatever the caller says.
    assert_eq!(
        one(&Settings::new(), "grpc-timeout", "9H").await.as_deref(),
        Some("9H")
    );
    assert_eq!(
        through(&TrustLayer::edge(Settings::new()), request(&[]))
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn an_id_is_taken_as_hex_or_uuid_text_only() {
    let settings = Settings::new();
    for name in ["x-request-id", "x-trace-id"] {
        for id in ["0190a5c2-7b1e-7c3d-9e4f-0123456789ab", "cafe"] {
            assert_eq!(one(&settings, name, id).await.as_deref(), Some(id));
        }
        let long = "a".repeat(1 << 14);
        for no in ["", "x", "a b", "../../etc", "{\"a\":1}", &long] {
            assert_eq!(one(&settings, name, no).await, None, "{no}");
        }
    }
    let twice = request(&[("x-request-id", "1"), ("x-request-id", "2")]);
    let headers = through(&TrustLayer::edge(settings), twice).await;
    assert!(headers.is_empty());
}

#[tokio::test]
async fn a_trace_that_makes_no_sense_is_dropped_with_its_state() {
    let layer = TrustLayer::edge(Settings::new());
    for parent in [
        "",
        "00-",
        "01-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01",
    ] {
        let sent = request(&[("traceparent", parent), ("tracestate", "a=b")]);
        assert!(through(&layer, sent).await.is_empty(), "{parent}");
    }
    let alone = request(&[("tracestate", "a=b")]);
    assert!(through(&layer, alone).await.is_empty());
    let kept = format!("{PARENT}-00");
    let left = one(&Settings::new(), "traceparent", &kept).await;
    assert_eq!(left, Some(kept));
}
