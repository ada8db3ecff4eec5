//! A limit for every key: who it is, how long it may be, who is believed.

use crate::{
    SECOND,
    addresses::{from, peer},
    rate,
};
use http::Request;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::time;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use ziggurat_core::{Code, Live, Rejection, error};
use ziggurat_limit::{
    ByAddress, ByHeader, ByMethod, Key, KeyExtractor, KeyTooLong, KeyedLimitLayer, KeyedRateLimit,
    Limited, MAX_KEY, Observer, TooCostly,
};
use ziggurat_testkit::{Echo, Strict, assert_clone, assert_send, assert_sync};

fn by_number(request: &u32) -> Option<Key<'_>> {
    Some(u64::from(*request).into())
}

async fn admitted<S>(service: &S, key: u32, calls: usize) -> usize
where
    S: Service<u32, Error = BoxError> + Clone,
{
    let mut admitted = 0;
    for _ in 0..calls {
        admitted += usize::from(service.clone().oneshot(key).await.is_ok());
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn two_keys_are_independent_and_each_keeps_its_rate() {
    let service = KeyedLimitLayer::new(by_number, rate(10, 20)).layer(Strict::echo());
    for key in 0..2 {
        assert_eq!(admitted(&service, key, 100).await, 20);
    }
    let mut more = 0;
    for _ in 0..1_000 {
        time::advance(SECOND / 100).await;
        more += admitted(&service, 0, 3).await;
    }
    assert_eq!(more, 100);
    assert_eq!(admitted(&service, 1, 100).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_million_idle_keys_leave() {
    let keys = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let layer = KeyedLimitLayer::new(by_number, rate(1, 2))
        .keys(keys as usize)
        .unwrap();
    let service = layer.layer(Strict::echo());
    for key in 0..keys {
        let _ = service.clone().oneshot(key).await;
    }
    let peak = layer.keys_in_use();
    assert!(peak > keys as usize * 99 / 100, "{peak}");
    time::advance(2 * SECOND).await;
    assert_eq!(layer.keys_in_use(), 0);
}

#[test]
fn a_key_reads_as_whoever_it_is() {
    let request = from("2001:db8:1:2:3::4", "x-tenant", "acme");
    let request = {
        let mut request = request;
        *request.uri_mut() = "/pkg.Service/Method?q".parse().unwrap();
        request
    };
    let by = ByAddress::of_peer(peer);
    let tenant = ByHeader::new(http::HeaderName::from_static("x-tenant"));
    let keys = [
        by.key(&request),
        by.clone().prefixes(24, 48).unwrap().key(&request),
        tenant.key(&request),
        ByMethod.key(&request),
    ];
    let text = keys.map(|key| key.unwrap().to_string());
    let expected = [
        "2001:db8:1:2::/64",
        "2001:db8:1::/48",
        "acme",
        "/pkg.Service/Method",
    ];
    assert_eq!(text, expected);
    assert_eq!(tenant.key(&Request::new(())), None);
    let mapped: IpAddr = "::ffff:192.0.2.9".parse().unwrap();
    assert_eq!(Key::network(mapped, 24, 64).to_string(), "192.0.2.0/24");
    for (v4, v6) in [(0, 64), (33, 64), (32, 0), (32, 129)] {
        assert!(by.clone().prefixes(v4, v6).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_of_a_megabyte_is_refused_by_name_and_counted() {
    #[derive(Clone, Default)]
    struct Refused(Arc<AtomicUsize>);
    impl Observer for Refused {
        fn refused(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    #[expect(clippy::ptr_arg, reason = "that is the request")]
    fn all(request: &String) -> Option<Key<'_>> {
        Some(request.as_str().into())
    }
    let refused = Refused::default();
    let layer = KeyedLimitLayer::new(all, rate(1, 1)).observe_with(refused.clone());
    let service = layer.layer(service_fn(|_| async { Ok::<_, BoxError>(()) }));
    let error = service
        .clone()
        .oneshot("x".repeat(1 << 20))
        .await
        .unwrap_err();
    assert_eq!(error::find::<KeyTooLong>(&*error).unwrap().len(), 1 << 20);
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::InvalidArgument);
    assert!(service.oneshot("x".repeat(MAX_KEY)).await.is_ok());
    assert_eq!(refused.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_key_share_one_limit() {
    fn even(request: &u32) -> Option<Key<'_>> {
        request
            .is_multiple_of(2)
            .then(|| Key::from(u64::from(*request)))
    }
    let service = KeyedLimitLayer::new(even, rate(1, 3)).layer(Strict::echo());
    let mut without = 0;
    for n in 0..10 {
        without += admitted(&service, 2 * n + 1, 1).await;
        assert_eq!(admitted(&service, 2 * n, 1).await, 1);
    }
    assert_eq!(without, 3);
}

#[tokio::test(start_paused = true)]
async fn a_keyed_call_may_cost_more_and_a_new_rate_is_in_force_at_once() {
    let (setter, live) = Live::channel(rate(1, 10));
    let layer = KeyedLimitLayer::new(by_number, live).cost_with(|cost: &u32| *cost);
    let service = layer.layer(Strict::echo());
    assert_eq!(admitted(&service, 3, 10).await, 3);
    let error = service.clone().oneshot(11).await.unwrap_err();
    assert!(error::find::<TooCostly>(&*error).is_some());
    setter.set(rate(1_000, 10));
    // Nine seconds were owed; a burst of the new rate is, but for one call.
    assert_eq!(admitted(&service, 3, 10).await, 0);
    time::advance(SECOND / 100).await;
    assert_eq!(admitted(&service, 3, 10).await, 3);
    let error = service.oneshot(3).await.unwrap_err();
    let wait = error::find::<Limited>(&*error).unwrap().retry_after();
    assert_eq!(wait, SECOND / 500);
}

#[tokio::test(start_paused = true)]
async fn one_layer_is_one_table_and_an_isolated_one_another() {
    let layer = KeyedLimitLayer::new(by_number, rate(1, 2));
    let (one, two) = (
        layer.layer(Strict::echo()),
        layer.clone().layer(Strict::echo()),
    );
    assert_eq!(admitted(&one, 7, 1).await, 1);
    assert_eq!(admitted(&two, 7, 5).await, 1);
    let other = layer.isolated().layer(Strict::echo());
    assert_eq!(admitted(&other, 7, 5).await, 2);
}

#[test]
fn room_for_no_key_or_for_too_many_is_refused_by_name() {
    for keys in [0, usize::MAX] {
        let layer = KeyedLimitLayer::new(by_number, rate(1, 1));
        assert_eq!(layer.keys(keys).unwrap_err().field(), "keys");
    }
}

#[test]
fn a_keyed_layer_needs_no_runtime_and_all_is_send_sync_and_clone() {
    drop(KeyedLimitLayer::new(ByMethod, rate(1, 1)).layer(Echo));
    assert_clone::<KeyedLimitLayer<ByMethod>>();
    assert_clone::<KeyedRateLimit<Echo, ByMethod>>();
    assert_send::<KeyedRateLimit<Echo, ByMethod>>();
    assert_sync::<KeyedRateLimit<Echo, ByMethod>>();
}
