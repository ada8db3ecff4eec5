//! What comes when nobody reads it, or no longer.

use crate::{
    frames::{ACK, DATA, Door, END_STREAM, HEADERS, PING, RST_STREAM},
    server::{pipe, upload},
    support::{Plain, bounded, call, connect, eventually, make, quick, until},
};
use http_body_util::BodyExt;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::{sync::oneshot, task::JoinSet};
use tower::ServiceExt;
use ziggurat_connect::{Connector, Settings};
use ziggurat_core::State;

/// When a call is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    BeforeItsAnswer,
    BeforeItsEnd,
    WhileItIsSent,
}

/// Calls that are dropped, `at_once` of them at a time, and answered late; and one that goes on.
async fn answers_come_late(rounds: usize, at_once: usize) {
    let door = Door::open().await;
    let connection = connect(door.address()).await;
    let mut server = JoinSet::new();
    let came = Arc::new(AtomicUsize::new(0));
    let saw = Arc::clone(&came);
    server.spawn(async move {
        let mut peer = door.peer().await?;
        let kept = peer.request().await?;
        let mut reset = HashSet::new();
        while reset.len() < rounds * at_once {
            let frame = peer.hear().await?;
            if frame.kind == HEADERS {
                came.fetch_add(1, SeqCst);
            }
            if frame.kind == RST_STREAM && reset.insert(frame.stream) {
                // As if it had been on its way.
                peer.head(frame.stream).await?;
                peer.say(DATA, 0, frame.stream, &[0; 100]).await?;
            }
        }
        peer.head(kept).await?;
        peer.say(DATA, END_STREAM, kept, b"well").await?;
        while peer.hear().await.is_ok() {}
        Ok::<_, std::io::Error>(())
    });
    until(&connection, State::Ready).await;
    let kept = async {
        let body = call(&connection).await.unwrap().into_body();
        body.collect().await.unwrap().to_bytes()
    };
    let dropped = async {
        for round in 1..=rounds {
            let mut calls = JoinSet::new();
            for _ in 0..at_once {
                let connection = connection.clone();
                calls.spawn(async move { call(&connection).await });
            }
            // One that was not sent is not reset.
            eventually(|| saw.load(SeqCst) == round * at_once).await;
            calls.shutdown().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        kept = kept => assert_eq!(kept, "well"),
        () = dropped => {}
    }
}

#[tokio::test]
async fn answers_to_calls_that_were_dropped_cost_the_others_nothing() {
    bounded(async {
        answers_come_late(8, 250).await;
        // More in a few seconds than h2 remembers, and counts, by its defaults or a few times that.
        answers_come_late(15, 5_000).await;
    })
    .await;
}

/// One answer of many small messages that nobody reads, and one that is read.
async fn small_messages_pile_up(settings: Settings, messages: usize) {
    let door = Door::open().await;
    let connection = make(Plain::new(settings), door.address()).await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = door.peer().await?;
        let (unread, other) = (peer.request().await?, peer.request().await?);
        peer.head(unread).await?;
        for _ in 0..messages {
            peer.say(DATA, 0, unread, &[0; 10]).await?;
        }
        peer.head(other).await?;
        peer.say(DATA, END_STREAM, other, b"well").await?;
        loop {
            let frame = peer.hear().await?;
            if (frame.kind, frame.flags) == (PING, 0) {
                peer.say(PING, ACK, 0, &frame.payload).await?;
            }
        }
        #[allow(unreachable_code, reason = "it tells the type")]
        Ok::<_, std::io::Error>(())
    });
    let (unread, other) = tokio::join!(call(&connection), call(&connection));
    let body = other.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "well");
    let mut unread = unread.unwrap().into_body();
    for _ in 0..messages {
        let frame = unread.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().len(), 10);
    }
    assert!(server.try_join_next().is_none());
}

#[tokio::test]
async fn small_messages_that_nobody_reads_yet_cost_the_others_nothing() {
    bounded(async {
        small_messages_pile_up(quick(), 40_000).await;
        small_messages_pile_up(quick().adaptive_windows(), 4_000).await;
    })
    .await;
}

#[tokio::test]
async fn frames_that_say_nothing_end_no_connection() {
    bounded(async {
        let door = Door::open().await;
        let connection = connect(door.address()).await;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut peer = door.peer().await?;
            let (empty, other) = (peer.request().await?, peer.request().await?);
            peer.head(empty).await?;
            for _ in 0..200 {
                peer.say(DATA, 0, empty, &[]).await?;
            }
            peer.say(DATA, END_STREAM, empty, b"late").await?;
            peer.head(other).await?;
            peer.say(DATA, END_STREAM, other, b"well").await?;
            while peer.hear().await.is_ok() {}
            Ok::<_, std::io::Error>(())
        });
        let (one, other) = tokio::join!(call(&connection), call(&connection));
        for (answer, said) in [(one, "late"), (other, "well")] {
            let body = answer.unwrap().into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), said);
        }
    })
    .await;
}

/// Small messages to a call that was dropped, and one that goes on.
async fn small_messages_come_late(when: When) {
    // More than h2 has a budget for, which it gives back as they are read.
    const THOUSANDS: usize = 140;
    let door = Door::open().await;
    let connection = make(Connector::new(quick()), door.address()).await;
    let (tell, asked) = oneshot::channel();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = door.peer().await?;
        let (kept, dropped) = (peer.request().await?, peer.request().await?);
        let _ = tell.send(());
        if when != When::BeforeItsAnswer {
            peer.head(dropped).await?;
        }
        while peer.hear().await?.kind != RST_STREAM {}
        // As if they had been on their way.
        for _ in 0..THOUSANDS {
            peer.say_often(1_000, DATA, 0, dropped, &[0]).await?;
        }
        peer.head(kept).await?;
        peer.say(DATA, END_STREAM, kept, b"well").await?;
        while peer.hear().await.is_ok() {}
        Ok::<_, std::io::Error>(())
    });
    until(&connection, State::Ready).await;
    let kept = connection.clone().oneshot(upload(pipe().1));
    let dropped = async {
        let (pipe, body) = pipe();
        let pipe = (when == When::WhileItIsSent).then_some(pipe);
        let call = connection.clone().oneshot(upload(body));
        if when == When::BeforeItsAnswer {
            tokio::select! {
                _ = call => panic!("nobody answers it"),
                asked = asked => asked.unwrap(),
            }
        } else {
            drop(call.await.unwrap());
        }
        pipe
    };
    let (kept, _pipe) = tokio::join!(kept, dropped);
    let body = kept.unwrap().into_body().collect().await;
    assert_eq!(body.unwrap().to_bytes(), "well", "{when:?}");
}

#[tokio::test]
async fn small_messages_to_calls_that_were_dropped_cost_the_others_nothing() {
    bounded(async {
        small_messages_come_late(When::BeforeItsAnswer).await;
        small_messages_come_late(When::BeforeItsEnd).await;
        small_messages_come_late(When::WhileItIsSent).await;
    })
    .await;
}
