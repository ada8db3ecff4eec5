//! Servers of h2's own, whose streams the tests hold in their hands.

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, SendResponse},
};
use http::{Request, Response};
use http_body::{Body, Frame};
use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use ziggurat_core::BoxError;

/// A request that came, and the way back.
pub(crate) type Came = (Request<RecvStream>, SendResponse<Bytes>);

/// Hands over what comes; dropped, it cuts every connection.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    came: mpsc::Receiver<Came>,
    task: JoinSet<()>,
}

/// A body that says what the test says, and when.
#[derive(Debug)]
pub(crate) struct Piped(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

pub(crate) type Pipe = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

impl Server {
    pub(crate) async fn start(builder: Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, came) = mpsc::channel(16);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (builder, tell) = (builder.clone(), tell.clone());
                connections.spawn(async move {
                    let Ok(mut connection) = builder.handshake(socket).await else {
                        return;
                    };
                    while let Some(Ok(came)) = connection.accept().await {
                        let _ = tell.send(came).await;
                    }
                });
            }
        });
        Self {
            address,
            came,
            task,
        }
    }

    pub(crate) async fn came(&mut self) -> Came {
        self.came.recv().await.unwrap()
    }

    /// Nothing came, and nothing comes for a while.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        let soon = tokio::time::timeout(20 * crate::support::MS, self.came.recv());
        soon.await.is_err()
    }

    pub(crate) fn cut(&mut self) {
        self.task.abort_all();
    }
}

/// A body, and what fills it.
pub(crate) fn pipe() -> (Pipe, Piped) {
    let (pipe, piped) = mpsc::channel(1);
    (pipe, Piped(piped))
}

impl Body for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}

pub(crate) async fn put(pipe: &Pipe, data: impl Into<Bytes>) {
    pipe.send(Ok(Frame::data(data.into()))).await.unwrap();
}

pub(crate) fn upload(body: Piped) -> Request<Piped> {
    Request::post("/upload").body(body).unwrap()
}

pub(crate) fn ok() -> Response<()> {
    Response::new(())
}

/// Reads so many bytes and lets as many more come.
pub(crate) async fn read(stream: &mut RecvStream, bytes: usize) {
    let mut left = bytes;
    while left > 0 {
        let data = stream.data().await.unwrap().unwrap();
        left = left.checked_sub(data.len()).expect("no more than was sent");
        stream.flow_control().release_capacity(data.len()).unwrap();
    }
}

/// Reads to the end: how many bytes came.
pub(crate) async fn read_all(stream: &mut RecvStream) -> Result<usize, h2::Error> {
    let mut bytes = 0;
    while let Some(data) = stream.data().await {
        let data = data?;
        bytes += data.len();
        stream.flow_control().release_capacity(data.len())?;
    }
    Ok(bytes)
}
