//! What is asked by PING, in virtual time.

use crate::{
    frames::{ACK, DATA, Door, END_STREAM, PING, Peer, WINDOW_UPDATE},
    server::{pipe, put, upload},
    support::{MS, Plain, call, make, pass, quick},
};
use http_body_util::BodyExt;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tower::ServiceExt;
use ziggurat_connect::Connector;

const SECOND: Duration = Duration::from_secs(1);

/// Hears up to the next PING: what it says.
async fn asked(peer: &mut Peer) -> io::Result<Vec<u8>> {
    asked_and_told(peer, &mut 0).await
}

/// And how much more the connection may carry.
async fn asked_and_told(peer: &mut Peer, more: &mut u32) -> io::Result<Vec<u8>> {
    loop {
        let frame = peer.hear().await?;
        match (frame.kind, frame.stream) {
            (WINDOW_UPDATE, 0) => *more += u32::from_be_bytes(frame.payload.try_into().unwrap()),
            (PING, _) if frame.flags == 0 => return Ok(frame.payload),
            _ => {}
        }
    }
}

async fn answer_pings(peer: &mut Peer) -> io::Result<()> {
    loop {
        let ping = asked(peer).await?;
        peer.say(PING, ACK, 0, &ping).await?;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_widens_the_window_tells_as_well_that_the_peer_lives() {
    let door = Door::open().await;
    let settings = quick().keepalive(10 * SECOND, 10 * SECOND).unwrap();
    let connection = make(Plain::new(settings.adaptive_windows()), door.address()).await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = door.peer().await?;
        let stream = peer.request().await?;
        peer.head(stream).await?;
        peer.say(DATA, 0, stream, b"first").await?;
        // How long the way is.
        let ping = asked(&mut peer).await?;
        tokio::time::sleep(SECOND).await;
        peer.say(PING, ACK, 0, &ping).await?;
        // Whether it lives: a word at last, and a full window.
        let ping = asked(&mut peer).await?;
        for _ in 0..4 {
            peer.say(DATA, 0, stream, &[0; 16_000]).await?;
        }
        peer.say(PING, ACK, 0, &ping).await?;
        let mut more = 0;
        for _ in 0..4 {
            let ping = asked_and_told(&mut peer, &mut more).await?;
            peer.say(PING, ACK, 0, &ping).await?;
        }
        assert!(more > 64_005, "{more} is no more than was read");
        peer.say(DATA, END_STREAM, stream, b"").await?;
        answer_pings(&mut peer).await
    });
    let calling = connection.clone();
    let mut ended = JoinSet::new();
    ended.spawn(async move {
        let body = call(&calling).await?.into_body();
        body.collect().await.map(|body| body.to_bytes().len())
    });
    pass(100 * SECOND, SECOND / 10).await;
    assert!(server.try_join_next().is_none());
    let read = ended.try_join_next().expect("it has ended").unwrap();
    assert_eq!(read.unwrap(), 64_005);
}

#[tokio::test(start_paused = true)]
async fn a_peer_from_which_something_comes_lives() {
    let door = Door::open().await;
    let settings = quick().keepalive(10 * SECOND, 10 * SECOND).unwrap();
    let connection = make(Plain::new(settings), door.address()).await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = door.peer().await?;
        let stream = peer.request().await?;
        let ping = asked(&mut peer).await?;
        peer.head(stream).await?;
        // A slow way, and the answer to the PING stands behind all of this.
        for _ in 0..60 {
            peer.say(DATA, 0, stream, &[0; 100]).await?;
            tokio::time::sleep(SECOND).await;
        }
        peer.say(PING, ACK, 0, &ping).await?;
        peer.say(DATA, END_STREAM, stream, b"").await?;
        answer_pings(&mut peer).await
    });
    let calling = connection.clone();
    let mut ended = JoinSet::new();
    ended.spawn(async move {
        let body = call(&calling).await?.into_body();
        body.collect().await.map(|body| body.to_bytes().len())
    });
    pass(100 * SECOND, SECOND / 10).await;
    let read = ended.try_join_next().expect("it has ended").unwrap();
    assert_eq!(read.unwrap(), 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_not_measured_while_the_peer_sends_no_data() {
    let door = Door::open().await;
    let settings = quick().no_keepalive().adaptive_windows();
    let connection = make(Connector::new(settings), door.address()).await;
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = door.peer().await?;
        loop {
            let frame = peer.hear().await?;
            match (frame.kind, frame.flags) {
                // It makes room, and that is no word that a server of gRPC's counts.
                (DATA, _) => {
                    let more = (frame.payload.len() as u32).to_be_bytes();
                    peer.say(WINDOW_UPDATE, 0, 0, &more).await?;
                    peer.say(WINDOW_UPDATE, 0, frame.stream, &more).await?;
                }
                (PING, 0) => {
                    counted.fetch_add(1, Relaxed);
                    peer.say(PING, ACK, 0, &frame.payload).await?;
                }
                _ => {}
            }
        }
        #[allow(unreachable_code, reason = "it tells the type")]
        io::Result::Ok(())
    });
    let (pipe, body) = pipe();
    let mut calls = JoinSet::new();
    calls.spawn(connection.oneshot(upload(body)));
    for _ in 0..100 {
        put(&pipe, vec![0; 1_000]).await;
        pass(200 * MS, 50 * MS).await;
    }
    assert!(calls.try_join_next().is_none(), "it goes on");
    assert!(server.try_join_next().is_none());
    // Three that no data came after, and the server hangs up.
    let pings = pings.load(Relaxed);
    assert!(pings <= 2, "{pings} PINGs");
}
