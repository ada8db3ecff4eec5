#![allow(clippy::unwrap_used, reason = "a test may panic")]
//! Deadlines, seen from outside.

mod deadline {
    mod client;
    mod contract;
    mod expiry;
    mod server;
    mod tonic_server;
    mod values;

    use http::{Request, header::CONTENT_TYPE};
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        time::Duration,
    };
    use ziggurat_deadline::{Exceeded, Observer, Settings};

    /// What `grpc-timeout` must never be.
    const MALFORMED: [&str; 9] = [
        "",
        "1",
        "S",
        "123456789n",
        "-1S",
        "1.5S",
        "1s",
        "\u{fc}S",
        "99999999999999999999H",
    ];

    #[derive(Clone, Debug, Default)]
    struct Told {
        exceeded: Arc<AtomicUsize>,
        malformed: Arc<AtomicUsize>,
    }

    impl Observer for Told {
        fn exceeded(&self, _: &Exceeded) {
            self.exceeded.fetch_add(1, Relaxed);
        }

        fn malformed(&self, _: &http::HeaderName, _: &http::HeaderValue) {
            self.malformed.fetch_add(1, Relaxed);
        }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn within(millis: u64) -> Settings {
        Settings::new(ms(millis)).unwrap()
    }

    fn grpc() -> Request<http_body_util::Empty<bytes::Bytes>> {
        Request::post("/echo.v1.Echo/Unary")
            .header(CONTENT_TYPE, "application/grpc+proto")
            .body(http_body_util::Empty::new())
            .unwrap()
    }

    fn header(text: &str) -> http::HeaderValue {
        http::HeaderValue::from_bytes(text.as_bytes()).unwrap()
    }
}
