//! One HTTP/2 connection, as calls use it.

use crate::{
    door::Door,
    error::Undelivered,
    exchange::{Exchange, Failed},
    lane::{Lane, Slot},
    lexicon::Lexicon,
    upload::Upload,
};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use http_body::Body;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio::runtime::Handle;
use ziggurat_core::{BoxError, BrokenRequest};

/// What calls use of a connection.
pub(crate) struct Link {
    /// Which connection of its endpoint this is; the first is 1.
    pub(crate) number: u64,
    pub(crate) lane: Arc<Lane>,
    /// In what words the peer is told what differs from call to call.
    pub(crate) lexicon: Lexicon,
    /// Where the rest of a request is sent whose answer has begun.
    pub(crate) runtime: Handle,
    sender: SendRequest<Bytes>,
    door: Arc<Door>,
    silent: Arc<AtomicBool>,
    answered: AtomicBool,
}

/// What became of a request.
#[allow(
    clippy::large_enum_variant,
    reason = "what is usual is to be moved and not boxed"
)]
pub(crate) enum Opened<B> {
    /// The connection has it.
    Sent(Exchange<B>),
    /// The connection takes no more calls.
    Back(Request<B>, Slot),
    /// h2 does not send it, and nobody has the head any more: what it has against the request, or,
    /// found in this very moment, against the peer.
    Lost(h2::Error),
}

// === impl Link ===

impl Link {
    pub(crate) fn new(
        number: u64,
        lane: Arc<Lane>,
        sender: SendRequest<Bytes>,
        door: Arc<Door>,
        silent: Arc<AtomicBool>,
        runtime: Handle,
    ) -> Self {
        Self {
            number,
            lane,
            lexicon: Lexicon::new(),
            runtime,
            sender,
            door,
            silent,
            answered: AtomicBool::new(false),
        }
    }

    /// Opens a stream for `request` in its place `slot`; when it is answered, somebody
    /// [says so](Self::note_answer).
    pub(crate) fn open<B: Body>(&self, request: Request<B>, slot: Slot) -> Opened<B> {
        // A clone has no stream of another call that it would wait for, or keep.
        let mut sender = self.sender.clone();
        // Asked first: what h2 refuses it does not give back.
        if is_closed(&mut sender) {
            return Opened::Back(request, slot);
        }
        let (mut head, body) = request.into_parts();
        self.lexicon.teach(&mut head.headers);
        let ended = body.is_end_stream();
        // Until it is sent or given back, the connection does not end.
        let Some(_inside) = self.door.enter() else {
            return Opened::Back(Request::from_parts(head, body), slot);
        };
        match sender.send_request(Request::from_parts(head, ()), ended) {
            Ok((answer, stream)) => {
                let upload = (!ended).then(|| Upload::new(stream, body));
                Opened::Sent(Exchange::new(answer, upload, slot))
            }
            Err(error) => Opened::Lost(error),
        }
    }

    /// What a call is told that failed after it was sent.
    #[cold]
    pub(crate) fn explain(&self, failed: Failed) -> BoxError {
        match failed {
            Failed::Request(error) => BrokenRequest::new(error).into(),
            Failed::Stream(_) if self.silent.load(Ordering::Relaxed) => {
                Undelivered::silent().into()
            }
            Failed::Stream(error) => Undelivered::in_flight(&error).into(),
        }
    }

    pub(crate) fn note_answer(&self) {
        // Read first: after the first answer the line stays shared by all cores.
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Was any call answered?
    pub(crate) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

fn is_closed(sender: &mut SendRequest<Bytes>) -> bool {
    // It waits for nobody: see above.
    let mut nobody = Context::from_waker(Waker::noop());
    matches!(sender.poll_ready(&mut nobody), Poll::Ready(Err(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{driver::handshake, settings::Settings, slots::Slots};
    use http_body_util::Full;

    #[tokio::test]
    async fn a_connection_that_is_gone_gives_the_request_back() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (settings, slots) = (Settings::new(), Slots::new(8));
        let made = handshake(Box::new(ours), 1, &settings, None, &slots);
        let (made, _server) = tokio::join!(made, h2::server::handshake(theirs));
        let (link, driver) = made.unwrap();
        let request = || Request::new(Full::<Bytes>::from("a message"));
        let slot = || link.lane.enter().unwrap();
        assert!(matches!(link.open(request(), slot()), Opened::Sent(_)));
        drop(driver);
        let Opened::Back(back, _) = link.open(request(), slot()) else {
            panic!("it was taken");
        };
        assert_eq!(back.body().size_hint().exact(), Some(9));
    }
}
