//! The deadline of a request that is served.

use super::{MALFORMED, Told, grpc, header, ms, within};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};
use tokio_test::assert_ok;
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_core::{BoxError, Deadline, clock, grpc as wire};
use ziggurat_deadline::{DeadlineLayer, Exceeded, Phase, Settings, current, spawn};
use ziggurat_testkit::{HttpScript, Step};

type Call = Request<Empty<Bytes>>;

fn left() -> Option<Duration> {
    current().map(|deadline| deadline.remaining(clock::now()))
}

/// Serves `call` and tells what its handler saw as the current deadline.
async fn serve(layer: &DeadlineLayer, call: Call) -> Option<Duration> {
    let seen = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&seen);
    let handler = service_fn(move |call: Call| {
        let extension = call.extensions().get::<Deadline>().copied();
        assert_eq!(extension, current());
        *tell.lock().unwrap() = left();
        async { Ok::<_, BoxError>(Response::new(Full::new(Bytes::new()))) }
    });
    layer.layer(handler).oneshot(call).await.unwrap();
    *seen.lock().unwrap()
}

fn asking(timeout: Duration) -> Call {
    let mut call = grpc();
    let value = wire::encode_timeout(timeout);
    call.headers_mut().insert(wire::TIMEOUT, value);
    call
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_what_its_caller_asked_for_a_tick_early_and_within_the_settings() {
    let unbounded = DeadlineLayer::server();
    let bounded = DeadlineLayer::server().settings(within(300).at_most(ms(500)).unwrap());
    for (layer, asked, seen) in [
        (&unbounded, Some(200), Some(199)),
        (&unbounded, Some(1_000_000_000), Some(999_999_999)),
        (&unbounded, None, None),
        (&bounded, Some(200), Some(199)),
        (&bounded, Some(400), Some(399)),
        (&bounded, Some(1_000_000_000), Some(500)),
        (&bounded, None, Some(300)),
    ] {
        let call = asked.map_or_else(grpc, |asked| asking(ms(asked)));
        assert_eq!(serve(layer, call).await, seen.map(ms), "{asked:?}");
    }
    let short = serve(&unbounded, asking(ms(1))).await;
    assert_eq!(short, Some(Duration::from_micros(500)));
    let layer = DeadlineLayer::server().settings(Settings::default().margin(ms(20)));
    assert_eq!(serve(&layer, asking(ms(200))).await, Some(ms(180)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_makes_no_sense_counts_as_none() {
    let heard = Told::default();
    let layer = DeadlineLayer::server()
        .settings(within(300))
        .observe_with(heard.clone());
    for text in MALFORMED {
        let mut call = grpc();
        call.headers_mut().insert(wire::TIMEOUT, header(text));
        assert_eq!(serve(&layer, call).await, Some(ms(300)), "{text:?}");
    }
    assert_eq!(heard.malformed.load(Relaxed), MALFORMED.len());
}

#[tokio::test(start_paused = true)]
async fn of_two_timeouts_of_a_caller_the_smaller_is_meant() {
    let name = HeaderName::from_static("x-timeout-ms");
    let layer = DeadlineLayer::server().header(name.clone());
    for (header_name, values, least) in [
        (&wire::TIMEOUT, ["400m", "200m"], 199),
        (&wire::TIMEOUT, ["200m", "400m"], 199),
        (&wire::TIMEOUT, ["soon", "400m"], 399),
        (&name, ["400", "200"], 199),
        (&name, ["2e2", "400"], 399),
    ] {
        let mut call = grpc();
        for text in values {
            call.headers_mut().append(header_name, header(text));
        }
        assert_eq!(serve(&layer, call).await, Some(ms(least)), "{values:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_was_named_is_read_in_milliseconds() {
    let name = HeaderName::from_static("x-timeout-ms");
    let layer = DeadlineLayer::server().header(name.clone());
    for (text, seen) in [
        ("200", Some(199)),
        ("+200", None),
        ("", None),
        ("2e2", None),
        ("99999999999999999999", None),
    ] {
        let mut call = Request::get("/").body(Empty::new()).unwrap();
        call.headers_mut().insert(&name, header(text));
        assert_eq!(serve(&layer, call).await, seen.map(ms), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_this_process_is_heard_by_its_extension() {
    let mut call = grpc();
    call.extensions_mut().insert(Deadline::after(ms(40)));
    assert_eq!(serve(&DeadlineLayer::server(), call).await, Some(ms(40)));
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_calls_gets_what_is_left_or_its_own_if_that_is_less() {
    for (asked, own, outbound) in [
        (Some(200), 1_000, 119),
        (Some(200), 100, 100),
        (Some(200), 50, 50),
        (None, 1_000, 1_000),
    ] {
        let backend = HttpScript::new([Step::grpc("hello")]);
        let client = DeadlineLayer::client(within(own)).layer(backend.clone());
        let handler = service_fn(move |_: Call| {
            let client = client.clone();
            async move {
                tokio::time::sleep(ms(80)).await;
                client.oneshot(grpc()).await
            }
        });
        let call = asked.map_or_else(grpc, |asked| asking(ms(asked)));
        let response = DeadlineLayer::server().layer(handler).oneshot(call).await;
        drop(assert_ok!(response));
        let seen = backend.seen().pop().unwrap();
        let told = wire::decode_timeout(&seen.headers[wire::TIMEOUT]).unwrap();
        assert_eq!(told, ms(outbound), "{asked:?} {own}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_looks_in_call_sees_it_too() {
    let backend = HttpScript::new([Step::grpc("hello")]);
    let client = DeadlineLayer::client(Settings::default()).layer(backend.clone());
    let proxy = DeadlineLayer::server().layer(client);
    proxy.oneshot(asking(ms(200))).await.unwrap();
    let seen = backend.seen().pop().unwrap();
    assert!(
        seen.extensions
            .get::<Deadline>()
            .unwrap()
            .remaining(clock::now())
            <= ms(199)
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_stream_sees_it_and_a_task_only_when_spawned_by_us() {
    let handler = service_fn(|_: Call| async {
        let kept = spawn(async { left() });
        #[allow(clippy::disallowed_methods, reason = "to show what it loses")]
        let lost = tokio::spawn(async { left() });
        assert_eq!(kept.await.unwrap(), Some(ms(199)));
        assert_eq!(lost.await.unwrap(), None);
        let body = Made(3, || {
            assert_eq!(left(), Some(ms(199)));
            Bytes::from_static(b"x")
        });
        Ok::<_, BoxError>(Response::new(body))
    });
    let response = DeadlineLayer::server()
        .layer(handler)
        .oneshot(asking(ms(200)))
        .await;
    let body = response.unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 3);
    assert_eq!(current(), None);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_ended_a_tick_before_its_callers_timer() {
    let begun = clock::now();
    let inner = HttpScript::new([Step::never()]);
    let service = DeadlineLayer::server().layer(inner);
    let error = service.oneshot(asking(ms(200))).await.unwrap_err();
    assert_eq!(
        error.downcast_ref::<Exceeded>().unwrap().phase(),
        Phase::Response
    );
    assert_eq!(clock::now() - begun, ms(199));
}

/// A body whose frames are made when they are polled.
struct Made<F>(usize, F);

impl<F: FnMut() -> Bytes + Unpin> Body for Made<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data((self.1)()))))
    }
}
