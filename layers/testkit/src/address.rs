//! Addresses where no server answers.

use crate::tasks::Owner;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::net::{TcpListener, TcpSocket};

/// A port of 127.0.0.1 that refuses every connection. It is held, so nobody else gets it meanwhile.
#[derive(Debug)]
pub struct RefusingAddress {
    address: SocketAddr,
    _bound: TcpSocket,
}

/// A port of 127.0.0.1 that accepts every connection and never says a byte, not even SETTINGS.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _task: Owner,
}

// === impl RefusingAddress ===

impl RefusingAddress {
    /// Takes a free port and does not listen on it.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    #[must_use]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a test machine has IPv4");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("a test machine has a free loopback port");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self {
            address,
            _bound: socket,
        }
    }

    /// Where nobody listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Default for RefusingAddress {
    fn default() -> Self {
        Self::new()
    }
}

// === impl BlackHole ===

impl BlackHole {
    /// Takes a free port and listens on it.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a test machine has a free loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let task = Owner::default();
        let counter = Arc::clone(&accepted);
        task.tasks().spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Relaxed);
                held.push(stream);
            }
        });
        Self {
            address,
            accepted,
            _task: task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it swallowed.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}
