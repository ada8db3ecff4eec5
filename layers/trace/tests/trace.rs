#![allow(clippy::unwrap_used, reason = "a test may panic")]
//! Traces, seen from outside.

mod trace {
    mod client;
    mod contract;
    mod recorder;
    mod server;
    mod spans;
    mod tasks;

    use bytes::Bytes;
    use http::{Request, header::CONTENT_TYPE};
    use http_body_util::Empty;

    type Call = Request<Empty<Bytes>>;

    const PARENT: &str = "00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01";
    const TRACE_ID: &str = "0190a5c27b1e7c3d9e4f0123456789ab";
    const UUID: &str = "0190a5c2-7b1e-7c3d-9e4f-0123456789ab";

    fn grpc() -> Call {
        Request::post("/echo.v1.Echo/Unary")
            .header(CONTENT_TYPE, "application/grpc+proto")
            .body(Empty::new())
            .unwrap()
    }

    fn with(mut call: Call, name: &'static str, value: &'static str) -> Call {
        let value = http::HeaderValue::from_static(value);
        call.headers_mut().append(name, value);
        call
    }
}
