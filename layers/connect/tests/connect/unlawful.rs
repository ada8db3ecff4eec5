//! Peers that do what HTTP/2 forbids, or nearly.

use crate::{
    frames::{
        ACK, DATA, Door, END_STREAM, HEADERS, PING, Peer, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    },
    support::{bounded, call, connect},
};
use http_body_util::BodyExt;
use tokio::task::JoinSet;

/// Kind, flags, stream and payload.
type Said = (u8, u8, u32, &'static [u8]);

const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const CANCEL: &[u8] = &[0, 0, 0, 8];
/// `:status: 200`, and 103.
const OK: &[u8] = &[0x88];
const HINTS: &[u8] = &[0x08, 3, b'1', b'0', b'3'];
const HEAD: Said = (HEADERS, END_HEADERS, 1, OK);
const MOST: &[u8] = &[0x7f, 0xff, 0xff, 0xff];

/// What is said to the first request, and how often.
const ACTS: &[(usize, &[Said])] = &[
    (1, &[(SETTINGS, 0, 0, &[0; 5])]),
    (9_999, &[(SETTINGS, 0, 0, &[])]),
    (9_999, &[(PING, 0, 0, &[7; 8])]),
    (1, &[(SETTINGS, 0, 0, &[0, 1, 0xff, 0xff, 0xff, 0xff])]),
    (1, &[(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])]),
    (1, &[(SETTINGS, ACK, 0, &[])]),
    (1, &[(PING, ACK, 0, &[7; 8])]),
    (9_999, &[(HEADERS, 0, 1, OK), (CONTINUATION, 0, 1, &[])]),
    (9_999, &[(HEADERS, END_HEADERS, 1, HINTS)]),
    (1, &[(HEADERS, END_HEADERS | END_STREAM, 1, HINTS)]),
    (1, &[(HEADERS, END_HEADERS, 1, &[0xff; 8])]),
    (1, &[(HEADERS, END_HEADERS, 2, OK)]),
    (1, &[(HEADERS, END_HEADERS, 3, OK)]),
    (2, &[HEAD]),
    (1, &[HEAD, (HEADERS, END_HEADERS, 1, HINTS)]),
    (1, &[(DATA, 0, 1, b"before")]),
    (1, &[HEAD, (DATA, PADDED, 1, &[200, 0])]),
    (1, &[HEAD, (DATA, 0, 1, &[0; 20_000])]),
    (
        1,
        &[HEAD, (DATA, END_STREAM, 1, b"x"), (DATA, 0, 1, b"more")],
    ),
    (1, &[(WINDOW_UPDATE, 0, 0, &[0; 4])]),
    (1, &[(WINDOW_UPDATE, 0, 0, MOST)]),
    (1, &[(WINDOW_UPDATE, 0, 1, MOST)]),
    (1, &[(RST_STREAM, 0, 0, CANCEL)]),
    (1, &[(RST_STREAM, 0, 3, CANCEL)]),
    (1, &[(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])]),
    (1, &[(GOAWAY, 0, 0, &[0; 3])]),
    (1, &[(GOAWAY, 0, 0, &[0, 0, 0, 2, 0, 0, 0, 0])]),
    (
        1,
        &[
            (GOAWAY, 0, 0, &[0; 8]),
            (GOAWAY, 0, 0, &[0, 0, 0, 9, 0, 0, 0, 0]),
        ],
    ),
    (1, &[(0x77, 0xff, 1, &[0; 100])]),
];

async fn play(peer: &mut Peer, (times, act): (usize, &[Said])) -> std::io::Result<()> {
    for _ in 0..times {
        for (kind, flags, stream, payload) in act {
            peer.say(*kind, *flags, *stream, payload).await?;
        }
    }
    peer.say(RST_STREAM, 0, 1, CANCEL).await
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_hangs_no_call_and_is_called_again() {
    for act in ACTS {
        let door = Door::open().await;
        let connection = connect(door.address()).await;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut act = Some(*act);
            loop {
                let Ok(mut peer) = door.peer().await else {
                    continue;
                };
                while let Ok(stream) = peer.request().await {
                    if let Some(act) = act.take() {
                        let _ = play(&mut peer, act).await;
                    } else {
                        let _ = peer.head(stream).await;
                        let _ = peer.say(DATA, END_STREAM, stream, b"well").await;
                    }
                }
            }
        });
        bounded(async {
            if let Ok(answer) = call(&connection).await {
                let _ = answer.into_body().collect().await;
            }
            loop {
                if let Ok(answer) = call(&connection).await
                    && let Ok(body) = answer.into_body().collect().await
                {
                    return assert_eq!(body.to_bytes(), "well", "{act:?}");
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
