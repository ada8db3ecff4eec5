//! A TCP connection to an instance.

use crate::error::NotConnected;
use std::{io, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use ziggurat_core::{BoxError, clock};

/// Tries every address that `host` has, each for its share of the time.
pub(crate) async fn dial(host: &str, port: u16, within: Duration) -> Result<TcpStream, BoxError> {
    let begun = clock::now();
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut last = BoxError::from("the name has no address");
    for address in addresses {
        // One address that swallows everything must not use up the time of the others.
        let share = within.saturating_sub(begun.elapsed()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match ready(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => last = error.into(),
            },
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = NotConnected("timed out: nobody accepts the connection").into(),
        }
    }
    Err(last)
}

fn ready(stream: &TcpStream) -> io::Result<()> {
    // TCP lets a socket that dials a free local port meet itself there.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
    }
    stream.set_nodelay(true)
}
