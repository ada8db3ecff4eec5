//! Nobody answers.

use std::{io, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use ziggurat_testkit::{BlackHole, RefusingAddress};

#[tokio::test]
async fn a_refusing_address_refuses_every_time() {
    let refusing = RefusingAddress::new();
    for _ in 0..3 {
        let error = TcpStream::connect(refusing.address()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn a_black_hole_accepts_and_says_nothing() {
    let hole = BlackHole::start().await;
    let mut socket = TcpStream::connect(hole.address()).await.unwrap();
    let silence = Duration::from_millis(20);
    timeout(silence, socket.read_u8()).await.unwrap_err();
    assert_eq!(hole.accepted(), 1);
}
