#![allow(clippy::unwrap_used, reason = "a test may panic")]
//! Faults, seen from outside.

mod fault {
    mod bodies;
    mod calls;
    mod contract;
    mod orders;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Empty;
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tower::{Layer, ServiceExt};
    use ziggurat_core::BoxError;
    use ziggurat_fault::{Body, FaultLayer, Faults, Faulty, Kind, Observer};
    use ziggurat_testkit::{HttpScript, ScriptBody, Step};

    type Call = Request<Empty<Bytes>>;

    #[derive(Clone, Debug, Default)]
    struct Told {
        kinds: Arc<Mutex<Vec<Kind>>>,
        malformed: Arc<Mutex<Vec<String>>>,
    }

    impl Observer for Told {
        fn injected(&self, kind: Kind) {
            self.kinds.lock().unwrap().push(kind);
        }

        fn malformed(&self, name: &http::HeaderName, _: &http::HeaderValue) {
            self.malformed.lock().unwrap().push(name.to_string());
        }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A service that answers, by a prefix of 5 bytes and a message of 5, under these faults.
    fn under(faults: Faults) -> Faulty<HttpScript> {
        let script = HttpScript::new([Step::grpc("01234")]);
        FaultLayer::new(faults).seed(1).layer(script)
    }

    fn grpc() -> Call {
        Request::post("/echo.v1.Echo/Unary")
            .header("content-type", "application/grpc")
            .body(Empty::new())
            .unwrap()
    }

    fn with(headers: &[(&'static str, &'static str)]) -> Call {
        let mut request = grpc();
        for &(name, value) in headers {
            let value = http::HeaderValue::from_static(value);
            request.headers_mut().append(name, value);
        }
        request
    }

    async fn call(
        service: &Faulty<HttpScript>,
        request: Call,
    ) -> Result<Response<Body<ScriptBody>>, BoxError> {
        service.clone().oneshot(request).await
    }
}
