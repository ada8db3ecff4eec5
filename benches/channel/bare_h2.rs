//! h2 itself, driven by the future of each call: what a call over HTTP/2 costs at the least.

use super::{
    ladder::{addressed, generated},
    subject::{Problem, Subject},
};
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{Builder, SendRequest},
};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::{net::TcpStream, task::JoinSet};
use tonic::body::Body;
use tower::service_fn;

/// The body of an answer; true when its data is over.
struct Incoming(RecvStream, bool);

const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;

/// A round robin over connections of h2's, and nothing else.
pub(super) async fn rung(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let mut tasks = JoinSet::new();
    let mut senders = Vec::new();
    for address in addresses {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake::<_, Bytes>(stream)
            .await?;
        tasks.spawn(async move {
            // Its calls say how it ended.
            _ = connection.await;
        });
        senders.push(sender);
    }
    let (senders, next) = (Arc::new((senders, tasks)), Arc::new(AtomicUsize::new(0)));
    let service = service_fn(move |request: Request<Body>| {
        let senders = &senders.0;
        let turn = next.fetch_add(1, Ordering::Relaxed) % senders.len();
        call(senders[turn].clone(), request)
    });
    Ok(generated("h2", service))
}

async fn call(
    mut sender: SendRequest<Bytes>,
    request: Request<Body>,
) -> Result<Response<Incoming>, Problem> {
    let (head, body) = addressed(request).into_parts();
    let (answer, stream) = sender.send_request(Request::from_parts(head, ()), false)?;
    // Else the call would hold one more of them.
    drop(sender);
    send(body, stream).await?;
    Ok(answer.await?.map(|stream| Incoming(stream, false)))
}

/// One frame ahead, as the last one says that it is.
async fn send(mut body: Body, mut stream: SendStream<Bytes>) -> Result<(), Problem> {
    let mut held: Option<Bytes> = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data()
            && let Some(before) = held.replace(data)
        {
            stream.send_data(before, false)?;
        }
    }
    stream.send_data(held.unwrap_or_default(), true)?;
    Ok(())
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Self(stream, over) = &mut *self;
        if !*over {
            match ready!(stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    _ = stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => *over = true,
            }
        }
        let trailers = ready!(stream.poll_trailers(cx));
        let trailers = trailers.map(|trailers| trailers.map(Frame::trailers));
        Poll::Ready(trailers.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
