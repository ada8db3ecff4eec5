#![allow(clippy::unwrap_used, reason = "a test may panic")]
//! Answers, seen from outside.

mod answer {
    mod body;
    mod contract;
    mod edges;
    mod errors;
    mod panics;

    use http::{Request, header::CONTENT_TYPE};
    use http_body_util::Empty;
    use std::{
        error::Error,
        fmt,
        sync::{Arc, Mutex, PoisonError},
        time::Duration,
    };
    use ziggurat_answer::Observer;
    use ziggurat_core::{BoxError, Code, Rejection};

    /// An error as layers add them: its cause is a rejection.
    #[derive(Clone, Debug)]
    struct Limited(Rejection);

    impl fmt::Display for Limited {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("limited")
        }
    }

    impl Error for Limited {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[derive(Clone, Debug, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl Told {
        fn lines(&self) -> Vec<String> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }
    }

    impl Observer for Told {
        fn rejected(&self, code: Code, error: &(dyn Error + 'static)) {
            self.0.lock().unwrap().push(format!("{code}: {error}"));
        }

        fn unexpected(&self, error: &(dyn Error + 'static)) {
            self.0.lock().unwrap().push(format!("unexpected: {error}"));
        }
    }

    fn limited() -> Limited {
        let rejection = Rejection::decided(Code::ResourceExhausted, "100% full");
        Limited(rejection.with_retry_after(Duration::from_millis(300)))
    }

    fn request(content_type: &str) -> Request<Empty<bytes::Bytes>> {
        Request::post("/echo.v1.Echo/Unary")
            .header(CONTENT_TYPE, content_type)
            .body(Empty::new())
            .unwrap()
    }

    fn boom() -> BoxError {
        "the password is hunter2".into()
    }
}
