//! Servers that change their minds about how many streams they allow.

use crate::{
    crowd::{calls, connected},
    support::{MS, bounded, quick, until},
};
use std::pin::pin;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use ziggurat_core::{Endpoint, State};

/// SETTINGS that allow so many streams.
const fn limit(streams: u8) -> [u8; 15] {
    [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, streams]
}

/// Told in place of a stream.
const ACKNOWLEDGED: u32 = 0;

/// Tells of all HEADERS, and of the SETTINGS that were acknowledged but for the first.
async fn hear(
    mut socket: tokio::net::tcp::OwnedReadHalf,
    came: mpsc::Sender<u32>,
) -> std::io::Result<()> {
    socket.read_exact(&mut [0; 24]).await?;
    let mut acknowledged = 0;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        socket.read_exact(&mut vec![0; length]).await?;
        acknowledged += u32::from((kind, flags) == (4, 1));
        if kind == 1 || (kind, flags) == (4, 1) && acknowledged > 1 {
            let _ = came.send(u32::from_be_bytes(id)).await;
        }
    }
}

/// Allows one stream, and two once the first call came; answers when each call's HEADERS came.
async fn generous(mut socket: TcpStream, came: mpsc::Sender<u32>) -> std::io::Result<()> {
    socket.read_exact(&mut [0; 24]).await?;
    socket.write_all(&limit(1)).await?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let [a, b, c, kind, _, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        socket.read_exact(&mut vec![0; length]).await?;
        if kind == 1 {
            let _ = came.send(u32::from_be_bytes(id)).await;
            socket.write_all(&limit(2)).await?;
        }
    }
}

#[tokio::test]
async fn a_limit_that_the_server_takes_back_holds_until_it_is_given_again() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, mut came) = mpsc::channel(8);
        let (allow, mut allowed) = mpsc::channel::<u8>(1);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let (read, mut write) = socket.into_split();
            let mut reading = pin!(hear(read, tell));
            loop {
                tokio::select! {
                    ended = &mut reading => return ended,
                    streams = allowed.recv() => write.write_all(&limit(streams.unwrap())).await?,
                }
            }
        });
        allow.send(2).await.unwrap();
        let connection = connected(quick(), address).await;
        let _first = calls(&connection, 1);
        assert_eq!(came.recv().await, Some(1));
        assert!(connection.availability().is_ready());
        // None, while one is open; its SETTINGS are acknowledged before the next call.
        allow.send(0).await.unwrap();
        assert_eq!(came.recv().await, Some(ACKNOWLEDGED));
        let _others = calls(&connection, 2);
        let second = tokio::time::timeout(20 * MS, came.recv());
        second.await.unwrap_err();
        // Whoever has another endpoint calls that.
        until(&connection, State::Idle).await;
        allow.send(2).await.unwrap();
        assert_eq!(came.recv().await, Some(ACKNOWLEDGED));
        until(&connection, State::Ready).await;
        assert_eq!(came.recv().await, Some(3));
        let third = tokio::time::timeout(20 * MS, came.recv());
        third.await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_the_server_raises_holds_at_once() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, mut came) = mpsc::channel(8);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            generous(socket, tell).await
        });
        let connection = connected(quick(), address).await;
        let _calls = calls(&connection, 3);
        assert_eq!((came.recv().await, came.recv().await), (Some(1), Some(3)));
        // And no third.
        let third = tokio::time::timeout(20 * MS, came.recv());
        third.await.unwrap_err();
    })
    .await;
}
