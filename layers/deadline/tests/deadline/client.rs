//! Where a client's deadline comes from, and where it is written.

use super::{MALFORMED, Told, grpc, header, ms, within};
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Empty};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tower::{Layer, ServiceExt};
use ziggurat_core::{CallOptions, Deadline, Live, clock, grpc as wire};
use ziggurat_deadline::{DeadlineLayer, Settings, scope};
use ziggurat_testkit::{HttpScript, ScriptBody, Seen, Step};

type Call = Request<Empty<bytes::Bytes>>;

async fn send(layer: &DeadlineLayer, request: Call) -> Seen {
    let inner = HttpScript::new([Step::grpc("hello")]);
    let service = layer.layer(inner.clone());
    service.oneshot(request).await.unwrap();
    inner.seen().pop().unwrap()
}

fn extension(seen: &Seen) -> Option<Duration> {
    let deadline = seen.extensions.get::<Deadline>()?;
    Some(deadline.remaining(clock::now()))
}

fn told(seen: &Seen) -> Option<Duration> {
    let value = seen.headers.get(wire::TIMEOUT)?;
    Some(wire::decode_timeout(value).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_the_header_to_whoever_sends_the_call() {
    let layer = DeadlineLayer::client(within(50)).tell(false);
    let seen = send(&layer, grpc()).await;
    assert_eq!((extension(&seen), told(&seen)), (Some(ms(50)), None));

    // What the caller wrote is read, and stays.
    let mut call = grpc();
    call.headers_mut()
        .insert(wire::TIMEOUT, wire::encode_timeout(ms(20)));
    let seen = send(&layer, call).await;
    assert_eq!(
        (extension(&seen), told(&seen)),
        (Some(ms(20)), Some(ms(20)))
    );
}

#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_in_sight_is_the_calls() {
    let sources: [fn(&mut Call, Duration); 3] = [
        |call, timeout| {
            let options = CallOptions::new().timeout(timeout);
            call.extensions_mut().insert(options);
        },
        |call, timeout| {
            call.extensions_mut().insert(Deadline::after(timeout));
        },
        |call, timeout| {
            let value = wire::encode_timeout(timeout);
            call.headers_mut().insert(wire::TIMEOUT, value);
        },
    ];
    for (earliest, _) in sources.iter().enumerate() {
        let mut call = grpc();
        for (place, source) in sources.iter().enumerate() {
            source(&mut call, ms(if place == earliest { 40 } else { 70 }));
        }
        for (default, current, expected) in [(50, 60, 40), (30, 60, 40), (50, 20, 20)] {
            let layer = DeadlineLayer::client(within(default));
            let seen = scope(Deadline::after(ms(current)), send(&layer, call.clone())).await;
            assert_eq!(extension(&seen), Some(ms(expected)), "{earliest} {default}");
            assert_eq!(told(&seen), Some(ms(expected)), "{earliest} {default}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_asks_for_an_hour_gets_it_unless_nobody_may() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const MINUTE: Duration = Duration::from_secs(60);

    let default = Settings::new(MINUTE / 2).unwrap();
    let bounded = default.at_most(MINUTE).unwrap();
    let mut long = grpc();
    long.extensions_mut()
        .insert(CallOptions::new().timeout(HOUR));
    for (settings, call, expected) in [
        (default, long.clone(), HOUR),
        (bounded, long.clone(), MINUTE),
        (bounded, grpc(), MINUTE / 2),
    ] {
        let layer = DeadlineLayer::client(settings);
        let seen = send(&layer, call.clone()).await;
        assert_eq!(told(&seen), Some(expected), "{settings:?}");

        let served = scope(Deadline::after(ms(70)), send(&layer, call)).await;
        assert_eq!(told(&served), Some(ms(70)), "{settings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_cut_by_a_default_that_its_caller_overruled() {
    let body = ScriptBody::default().data("one").wait(ms(500)).data("two");
    let inner = HttpScript::new([Step::answer(Response::new(body))]);
    let service = DeadlineLayer::client(within(50)).layer(inner);
    let mut call = grpc();
    call.extensions_mut()
        .insert(CallOptions::new().timeout(ms(1_000)));
    let body = service.oneshot(call).await.unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "onetwo");
}

#[tokio::test(start_paused = true)]
async fn nothing_in_sight_is_no_deadline() {
    let seen = send(&DeadlineLayer::client(Settings::default()), grpc()).await;
    assert_eq!((extension(&seen), told(&seen)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn only_grpc_is_told_in_grpc_timeout_and_others_in_the_header_that_was_named() {
    let name = HeaderName::from_static("x-timeout-ms");
    let layer = DeadlineLayer::client(Settings::new(Duration::from_micros(1_500)).unwrap());
    let plain = || Request::get("/").body(Empty::new()).unwrap();

    let seen = send(&layer, plain()).await;
    assert!(seen.headers.is_empty());
    assert!(extension(&seen).is_some());

    let layer = layer.header(name.clone());
    let seen = send(&layer, plain()).await;
    assert_eq!(seen.headers[&name], "2");
    assert_eq!(told(&seen), None);

    let seen = send(&layer, grpc()).await;
    assert_eq!(seen.headers[wire::TIMEOUT], "1500000n");
    assert!(!seen.headers.contains_key(&name));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_still_stands_is_never_written_as_zero() {
    for nanos in [1, 999, 99_999_999, 100_000_001, 1 << 59] {
        let settings = Settings::new(Duration::from_nanos(nanos)).unwrap();
        let seen = send(&DeadlineLayer::client(settings), grpc()).await;
        assert!(
            told(&seen).unwrap() >= Duration::from_nanos(nanos),
            "{nanos}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_header_that_makes_no_sense_counts_as_none() {
    let heard = Told::default();
    let layer = DeadlineLayer::client(within(50)).observe_with(heard.clone());
    for text in MALFORMED {
        let mut call = grpc();
        call.headers_mut().insert(wire::TIMEOUT, header(text));
        assert_eq!(told(&send(&layer, call).await), Some(ms(50)), "{text:?}");
    }
    assert_eq!(heard.malformed.load(Relaxed), MALFORMED.len());
}

#[tokio::test(start_paused = true)]
async fn of_two_timeouts_in_headers_the_smaller_is_meant() {
    let heard = Told::default();
    let layer = DeadlineLayer::client(within(50)).observe_with(heard.clone());
    for (values, least) in [
        (["20m", "10m"], 10),
        (["10m", "20m"], 10),
        (["soon", "30m"], 30),
        (["40m", ""], 40),
    ] {
        let mut call = grpc();
        for text in values {
            call.headers_mut().append(wire::TIMEOUT, header(text));
        }
        let seen = send(&layer, call).await;
        assert_eq!(extension(&seen), Some(ms(least)), "{values:?}");
        // And only that goes out.
        assert_eq!(told(&seen), Some(ms(least)), "{values:?}");
        assert_eq!(seen.headers.get_all(wire::TIMEOUT).iter().count(), 1);
    }
    assert_eq!(heard.malformed.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_type_in_capitals_is_grpc_as_well() {
    for (kind, told_so) in [("Application/gRPC", true), ("application/grpcs", false)] {
        let mut call = grpc();
        let headers = call.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, header(kind));
        let seen = send(&DeadlineLayer::client(within(50)), call).await;
        assert_eq!(told(&seen).is_some(), told_so, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_margin_is_asked_for_on_the_wire_and_not_kept_here() {
    let layer = DeadlineLayer::client(within(50).margin(ms(2)));
    let seen = send(&layer, grpc()).await;
    assert_eq!(
        (extension(&seen), told(&seen)),
        (Some(ms(50)), Some(ms(52)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_layer_inside_stamps_each_attempt_with_what_is_left() {
    let inner = HttpScript::new([Step::grpc("hello")]);
    let an_attempt = Settings::unbounded().at_most(ms(100)).unwrap();
    let attempts = DeadlineLayer::client(an_attempt).layer(inner.clone());
    let attempts = tower::service_fn(move |call: Call| {
        let attempts = attempts.clone();
        async move {
            tokio::time::sleep(ms(30)).await;
            attempts.clone().oneshot(call.clone()).await.unwrap();
            tokio::time::sleep(ms(80)).await;
            attempts.oneshot(call).await
        }
    });
    let service = DeadlineLayer::client(within(150)).layer(attempts);
    service.oneshot(grpc()).await.unwrap();
    let left: Vec<_> = inner
        .seen()
        .iter()
        .map(|seen| told(seen).unwrap())
        .collect();
    assert_eq!(left, [ms(100), ms(40)]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_setting_holds_for_the_next_call() {
    let (setter, live) = Live::channel(within(50));
    let layer = DeadlineLayer::client(live);
    assert_eq!(told(&send(&layer, grpc()).await), Some(ms(50)));
    setter.set(within(70));
    assert_eq!(told(&send(&layer, grpc()).await), Some(ms(70)));
}

// Real time: the system's clock is what is read once.
#[tokio::test]
async fn the_layers_inside_are_told_the_time_at_which_the_call_began() {
    let inner = tower::service_fn(|call: Call| {
        let deadline: Deadline = *call.extensions().get().unwrap();
        let began = clock::now();
        while clock::present() == began {
            std::thread::yield_now();
        }
        assert_eq!(clock::now(), began);
        assert_eq!(deadline.remaining(began), ms(50));
        async { Ok::<_, std::io::Error>(Response::new(String::new())) }
    });
    let service = DeadlineLayer::client(within(50)).layer(inner);
    service.oneshot(grpc()).await.unwrap();
    let outside = clock::now();
    while clock::now() == outside {
        std::thread::yield_now();
    }
}
