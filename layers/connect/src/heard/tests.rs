//! What is held back, and that it comes in the end.

use super::*;
use std::task::Waker;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    task::yield_now,
};

const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

fn read(hearing: &mut Hearing, room: usize) -> Poll<io::Result<Vec<u8>>> {
    let mut bytes = vec![0; room];
    let mut buffer = ReadBuf::new(&mut bytes);
    let mut nobody = Context::from_waker(Waker::noop());
    let read = Pin::new(hearing).poll_read(&mut nobody, &mut buffer);
    read.map_ok(|()| buffer.filled().to_vec())
}

fn hearing() -> (Hearing, Arc<Door>, tokio::io::DuplexStream) {
    let (ours, theirs) = duplex(1 << 10);
    let door = Arc::<Door>::default();
    let hearing = Heard::default().on(Box::new(ours), Arc::clone(&door), Arc::default());
    (hearing, door, theirs)
}

#[tokio::test]
async fn a_goodbye_is_held_back_while_a_call_is_handed_over() {
    let (mut hearing, door, mut theirs) = hearing();
    let inside = door.enter().unwrap();
    theirs.write_all(&PING).await.unwrap();
    let all = read(&mut hearing, 100);
    assert!(matches!(all, Poll::Ready(Ok(bytes)) if bytes == PING));

    theirs.write_all(&[PING, GOAWAY].concat()).await.unwrap();
    theirs.shutdown().await.unwrap();
    for _ in 0..3 {
        assert!(read(&mut hearing, 100).is_pending());
        assert!(door.enter().is_none(), "others are sent away");
    }
    drop(inside);
    assert!(read(&mut hearing, 100).is_pending(), "first it is sent");
    let mut all = Vec::new();
    while let Poll::Ready(Ok(bytes)) = read(&mut hearing, 10)
        && !bytes.is_empty()
    {
        all.extend(bytes);
    }
    assert_eq!(
        all,
        [PING, GOAWAY].concat(),
        "in the pieces that there is room for"
    );
}

#[tokio::test]
async fn what_was_handed_over_is_sent_before_a_goodbye_is_heard() {
    let (mut hearing, door, mut theirs) = hearing();
    drop(door.enter());
    theirs.write_all(&GOAWAY).await.unwrap();
    assert!(read(&mut hearing, 100).is_pending());
    assert!(door.enter().is_none());
    let all = read(&mut hearing, 100);
    assert!(matches!(all, Poll::Ready(Ok(bytes)) if bytes == GOAWAY));
}

#[tokio::test]
async fn the_end_of_the_stream_is_held_back_and_so_is_what_breaks_it() {
    let (mut hearing, door, theirs) = hearing();
    let inside = door.enter().unwrap();
    drop(theirs);
    assert!(read(&mut hearing, 100).is_pending());
    let mut nobody = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let written = Pin::new(&mut hearing).poll_write(&mut nobody, b"more");
        assert!(written.is_pending());
    }
    drop(inside);
    let written = hearing.write_all(b"more").await;
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(hearing.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn without_room_nothing_is_read_and_nothing_is_over() {
    let (mut hearing, door, _theirs) = hearing();
    assert!(matches!(
        read(&mut hearing, 0),
        Poll::Ready(Ok(_)) | Poll::Pending
    ));
    assert!(door.enter().is_some());
}

#[tokio::test]
async fn goodbyes_in_pieces_come_whole_and_in_order_after_who_is_inside_has_left() {
    let all = [&PING[..], &GOAWAY, &PING, &GOAWAY, &PING].concat();
    for cut in 1..all.len() {
        for room in [1, 7, 100] {
            let (mut hearing, door, mut theirs) = hearing();
            let mut inside = door.enter();
            assert!(inside.is_some());
            let mut heard = Vec::new();
            let (one, other) = all.split_at(cut);
            for piece in [one, other, &[]] {
                theirs.write_all(piece).await.unwrap();
                // The task is woken once for each that is held back, and polls again.
                for _ in 0..4 {
                    // Else tokio has the task pause somewhere, for it reads a lot.
                    yield_now().await;
                    while let Poll::Ready(read) = read(&mut hearing, room) {
                        heard.extend(read.unwrap());
                    }
                }
                if piece.is_empty() {
                    break;
                }
                assert!(heard.len() < PING.len() + GOAWAY.len(), "{cut} {room}");
                if piece.as_ptr() == other.as_ptr() {
                    inside = None;
                }
            }
            assert!(inside.is_none());
            assert_eq!(heard, all, "{cut} {room}");
        }
    }
}

#[tokio::test]
async fn a_write_waits_for_one_turn_where_calls_share_the_connection_and_not_where_one_is_alone() {
    let (mut hearing, _door, mut theirs) = hearing();
    let mut nobody = Context::from_waker(Waker::noop());
    let mut write = |hearing: &mut Hearing| {
        let written = Pin::new(hearing).poll_write(&mut nobody, b"call");
        written.is_ready()
    };
    for _ in 0..3 {
        assert!(write(&mut hearing), "it is alone");
    }
    hearing.heard.share(true);
    assert!(!write(&mut hearing));
    assert!(write(&mut hearing), "once");
    let mut came = [0; 16];
    theirs.read_exact(&mut came).await.unwrap();
}

#[tokio::test]
async fn nothing_is_put_off_behind_a_goodbye() {
    for put_off in [true, false] {
        let (mut hearing, door, mut theirs) = hearing();
        let mut nobody = Context::from_waker(Waker::noop());
        let mut write = |hearing: &mut Hearing| {
            let call = IoSlice::new(b"call");
            let written = Pin::new(hearing).poll_write_vectored(&mut nobody, &[call]);
            written.is_ready()
        };
        drop(door.enter());
        hearing.heard.share(true);
        if put_off {
            assert!(!write(&mut hearing));
        }
        theirs.write_all(&GOAWAY).await.unwrap();
        // As h2 does: it reads all that there is, and then writes.
        assert!(read(&mut hearing, 100).is_pending());
        assert!(write(&mut hearing), "put off before: {put_off}");
        assert!(read(&mut hearing, 100).is_ready());
    }
}
