//! Connections that end in the very moment in which a call is handed to them.

use crate::support::{Bytesful, bounded, finish, make, quick, request, until};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll},
    time::Duration,
};
use tokio::runtime::Handle;
use tower::ServiceExt;
use ziggurat_connect::{Connection, Connector, Observer};
use ziggurat_core::{BoxError, Code, EndpointId, State};
use ziggurat_testkit::{Act, RawH2, RawScript};

/// A body; the first time that it is asked whether it is at its end, the connection is.
struct Late {
    body: Bytesful,
    end: Option<Arc<Ending>>,
}

/// Has the connection end, and waits for it.
struct Ending {
    connection: Connection<Late>,
    runtime: Handle,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

struct Tell(mpsc::Sender<()>);

// === impl Ending ===

impl Ending {
    /// The server ends the connection when a call comes.
    fn now(&self) {
        let Some(ended) = self.ended.lock().unwrap().take() else {
            return;
        };
        let call = self.connection.clone().oneshot(late(None));
        self.runtime.spawn(call);
        ended.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

// === impl Late ===

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        if let Some(end) = &self.end {
            end.now();
        }
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn late(end: Option<Arc<Ending>>) -> http::Request<Late> {
    request().map(|body| Late { body, end })
}

// === impl Tell ===

impl Observer for Tell {
    fn disconnected(
        &self,
        _: &EndpointId,
        _: Option<&(dyn std::error::Error + Send + Sync + 'static)>,
        _: Duration,
    ) {
        let _ = self.0.send(());
    }
}

/// What becomes of a call whose connection ends by `end` while it is handed over.
async fn called(end: Act) -> Result<Option<Code>, BoxError> {
    // It proves itself first: one that hangs up on everybody is not dialled again at once.
    let proven = RawScript::new().after(1, Act::AnswerAll(0));
    let script = proven.after(2, end).then(Act::AnswerAll(0));
    let next = RawScript::new().after(0, Act::Serve);
    let server = RawH2::serve_each([script, next]).await;
    let (tell, ended) = mpsc::channel();
    let connector = Connector::new(quick()).observe_with(Tell(tell));
    let connection = make(connector, server.address()).await;
    until(&connection, State::Ready).await;
    finish(connection.clone().oneshot(late(None)).await).await?;
    let ending = Arc::new(Ending {
        connection: connection.clone(),
        runtime: Handle::current(),
        ended: Mutex::new(Some(ended)),
    });
    finish(connection.oneshot(late(Some(ending))).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_moves_on_when_its_connection_ends_while_it_is_handed_over() {
    let in_peace = |last_stream| Act::GoAway {
        last_stream,
        code: 0,
    };
    for end in [in_peace(0x7fff_ffff), in_peace(1), Act::Close, Act::Cut] {
        let ended = bounded(called(end)).await;
        assert_eq!(ended.unwrap(), Some(Code::Ok), "{end:?}");
    }
}
