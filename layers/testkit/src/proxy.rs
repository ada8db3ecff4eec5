//! A way between a client and a server that can be lost, and be long.

use crate::tasks::{Owner, Tasks};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::{mpsc, watch},
    time::{self, Instant},
};

/// Forwards every connection to one address, until it is told to lose, to delay or to cut them.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    path: watch::Sender<Path>,
    _tasks: Owner,
}

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path {
    /// Bytes are lost without a word, and connections are taken but lead nowhere.
    lost: bool,
    /// How long everything takes to get through, either way.
    delay: Duration,
    /// How often all connections were cut.
    cuts: u64,
}

/// What was read, and when it is to arrive.
type Piece = (Instant, Vec<u8>);

/// So many pieces are on their way at once; then the sender has to wait.
const ON_ITS_WAY: usize = 64;
const PIECE: usize = 16 << 10;

// === impl Proxy ===

impl Proxy {
    /// Takes a free port of 127.0.0.1 and forwards it to `target`.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a test machine has a free loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (path, seen) = watch::channel(Path {
            lost: false,
            delay: Duration::ZERO,
            cuts: 0,
        });
        let owner = Owner::default();
        let tasks = owner.tasks().clone();
        owner.tasks().spawn(accept(listener, target, seen, tasks));
        Self {
            address,
            path,
            _tasks: owner,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a client is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Swallows everything from now on, as a network does that lost its way, or forwards again what
    /// is sent from then on. What was swallowed breaks the connections that it was for.
    pub fn lose(&self, lost: bool) {
        self.path.send_modify(|path| {
            // A stream with a hole in it is no stream.
            path.cuts += u64::from(path.lost && !lost);
            path.lost = lost;
        });
    }

    /// Lets everything that is sent from now on arrive this much later, either way; zero for as soon
    /// as it can. It stays in order, and connections stay open.
    pub fn delay(&self, delay: Duration) {
        self.path.send_modify(|path| path.delay = delay);
    }

    /// Closes all connections; new ones are forwarded.
    pub fn cut(&self) {
        self.path.send_modify(|path| path.cuts += 1);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    path: watch::Receiver<Path>,
    tasks: Tasks,
) {
    while let Ok((client, _)) = listener.accept().await {
        let path = path.clone();
        tasks.spawn(async move {
            let mut cut = path.clone();
            let begun = cut.borrow().cuts;
            tokio::select! {
                () = forward(client, target, path, begun) => {}
                _ = cut.wait_for(|path| path.cuts != begun) => {}
            }
        });
    }
}

async fn forward(client: TcpStream, target: SocketAddr, path: watch::Receiver<Path>, cuts: u64) {
    let mut found = path.clone();
    if found.wait_for(|path| !path.lost).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        copy(from_client, to_server, path.clone(), cuts),
        copy(from_server, to_client, path, cuts),
    );
}

async fn copy(
    from: tcp::OwnedReadHalf,
    to: tcp::OwnedWriteHalf,
    path: watch::Receiver<Path>,
    cuts: u64,
) {
    let (pieces, arriving) = mpsc::channel(ON_ITS_WAY);
    let arriving = arrive(arriving, to, path.clone(), cuts);
    tokio::join!(send(from, pieces, path), arriving);
}

async fn send(
    mut from: tcp::OwnedReadHalf,
    pieces: mpsc::Sender<Piece>,
    path: watch::Receiver<Path>,
) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let due = Instant::now() + path.borrow().delay;
        if pieces.send((due, buffer[..read].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn arrive(
    mut pieces: mpsc::Receiver<Piece>,
    mut to: tcp::OwnedWriteHalf,
    path: watch::Receiver<Path>,
    cuts: u64,
) {
    while let Some((due, piece)) = pieces.recv().await {
        if due > Instant::now() {
            time::sleep_until(due).await;
        }
        let now = *path.borrow();
        // Whoever cuts it may be late, and nothing may arrive after a hole.
        if now.cuts != cuts || (!now.lost && to.write_all(&piece).await.is_err()) {
            return;
        }
    }
}
