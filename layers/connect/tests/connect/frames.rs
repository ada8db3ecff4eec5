//! A server that speaks in frames, for what no server of a library does.

use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Where clients come.
pub(crate) struct Door(TcpListener);

/// The other end of one connection.
pub(crate) struct Peer(TcpStream);

/// A frame as it came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Says SETTINGS without any limit.
    pub(crate) async fn peer(&self) -> io::Result<Peer> {
        let (mut socket, _) = self.0.accept().await?;
        socket.read_exact(&mut [0; 24]).await?;
        // Virtual time does not wait for the kernel.
        socket.set_nodelay(true)?;
        let mut peer = Peer(socket);
        peer.say(SETTINGS, 0, 0, &[]).await?;
        Ok(peer)
    }
}

impl Peer {
    pub(crate) async fn say(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        self.say_often(1, kind, flags, stream, payload).await
    }

    /// The same frame so many times, in one piece.
    pub(crate) async fn say_often(
        &mut self,
        times: usize,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame.repeat(times)).await
    }

    /// `:status: 200`, by its place in the static table.
    pub(crate) async fn head(&mut self, stream: u32) -> io::Result<()> {
        self.say(HEADERS, END_HEADERS, stream, &[0x88]).await
    }

    /// The next frame; SETTINGS are acknowledged.
    pub(crate) async fn hear(&mut self) -> io::Result<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, id @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await?;
            if (kind, flags) == (SETTINGS, 0) {
                self.say(SETTINGS, ACK, 0, &[]).await?;
                continue;
            }
            let stream = u32::from_be_bytes(id);
            return Ok(Frame {
                kind,
                flags,
                stream,
                payload,
            });
        }
    }

    /// The stream of the next request.
    pub(crate) async fn request(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.hear().await?;
            if frame.kind == HEADERS {
                return Ok(frame.stream);
            }
        }
    }
}
