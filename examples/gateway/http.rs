//! HTTP/1.1 as a plain client speaks it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

/// An answer, to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    /// As it came, in chunks or not.
    pub(super) body: String,
}

// === impl Answer ===

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

pub(super) async fn get(address: SocketAddr, path: &'static str) -> io::Result<Answer> {
    send(
        Ipv4Addr::LOCALHOST,
        address,
        format!("GET {path} HTTP/1.1\r\n"),
        "",
    )
    .await
}

pub(super) fn post(
    address: SocketAddr,
    path: &'static str,
    headers: &str,
    body: &'static str,
) -> impl Future<Output = io::Result<Answer>> + Send + use<> {
    post_from(Ipv4Addr::LOCALHOST, address, path, headers, body)
}

/// From this address. The header lines each end with CR and LF.
pub(super) fn post_from(
    from: Ipv4Addr,
    address: SocketAddr,
    path: &'static str,
    headers: &str,
    body: &'static str,
) -> impl Future<Output = io::Result<Answer>> + Send + use<> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n");
    send(from, address, head, body)
}

async fn send(
    from: Ipv4Addr,
    address: SocketAddr,
    head: String,
    body: &'static str,
) -> io::Result<Answer> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut socket = socket.connect(address).await?;
    let request = format!("{head}host: gateway\r\nconnection: close\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Answer::parse(&answer).ok_or_else(|| io::Error::other(format!("no answer: {answer:?}")))
}
