//! A TCP connection to an instance.

use crate::{error::NotConnected, settings::Settings};
use socket2::{SockRef, TcpKeepalive};
use std::{io, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use ziggurat_core::{BoxError, clock};

/// What RFC 8305, 5, gives an address before the next is tried.
const LEAST: Duration = Duration::from_millis(250);

/// Tries the addresses that `host` has, each for its share of the time.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    settings: &Settings,
) -> Result<TcpStream, BoxError> {
    let begun = clock::now();
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut last = BoxError::from("the name has no address");
    for address in addresses {
        let time = settings.connect_timeout.saturating_sub(begun.elapsed());
        let share = share(time, left);
        left = left.saturating_sub(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match ready(&stream, settings) {
                Ok(()) => return Ok(stream),
                Err(error) => last = error.into(),
            },
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = NotConnected("timed out: nobody accepts the connection").into(),
        }
    }
    Err(last)
}

/// One address that swallows everything must not use up the time of the others; but the shares of
/// very many would be over before the first could answer.
fn share(time: Duration, addresses: u32) -> Duration {
    (time / addresses.max(1)).max(LEAST.min(time))
}

fn ready(stream: &TcpStream, settings: &Settings) -> io::Result<()> {
    // TCP lets a socket that dials a free local port meet itself there.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
    }
    // A system that knows no such options still has connections.
    if let Some(silence) = settings.tcp_timeout
        && let Err(error) = limit_silence(stream, silence)
    {
        tracing::debug!(%error, "cannot set the timeouts of TCP");
    }
    stream.set_nodelay(settings.nodelay)
}

/// Has the kernel ask the peer's after half the time, three times, and give up at its end.
fn limit_silence(stream: &TcpStream, silence: Duration) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(silence / 2);
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "fuchsia",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    ))]
    let keepalive = keepalive.with_interval(silence / 6).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    // Else what was sent and is not acknowledged is sent again for a quarter of an hour.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(silence))?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_very_many_addresses_each_has_the_time_to_answer() {
        let ms = Duration::from_millis;
        for (time, addresses, each) in [
            (10_000, 0, 10_000),
            (10_000, 4, 2_500),
            (10_000, 10_000, 250),
            (100, 10, 100),
            (0, 3, 0),
        ] {
            assert_eq!(share(ms(time), addresses), ms(each), "{time} / {addresses}");
        }
    }

    #[tokio::test]
    async fn the_kernel_is_told_how_long_a_silent_peer_is_believed_in() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let settings = Settings::new();
        let stream = dial("127.0.0.1", port, &settings).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 15 * SECOND);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), 5 * SECOND);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(30 * SECOND));

        let settings = Settings::new().tcp_timeout(None).unwrap().nodelay(false);
        let stream = dial("127.0.0.1", port, &settings).await.unwrap();
        assert!(!stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(!socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    }
}
