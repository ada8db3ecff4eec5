//! How far a call got, for everything that HTTP/2 lets a server do.

use crate::support::{bounded, call, connect, finish, sent};
use tokio::task::JoinSet;
use ziggurat_core::{
    Code,
    Sent::{self, Never, Unknown, Unprocessed},
};
use ziggurat_testkit::{Act, RawH2, RawScript};

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    Failed(Sent),
}

use End::{Answered, Failed};

const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
const HIGHEST_STREAM: u32 = 0x7fff_ffff;

const fn go_away(last_stream: u32, code: u32) -> Act {
    Act::GoAway { last_stream, code }
}

/// Three calls at once, in order, to a server that plays `script` on every connection.
async fn three(script: RawScript, at_once: usize) -> ([End; 3], Vec<Vec<u32>>) {
    let server = RawH2::serve(script).await;
    let connection = connect(server.address()).await;
    let mut calls = JoinSet::new();
    for n in 0..3 {
        let connection = connection.clone();
        calls.spawn(async move { (n, finish(call(&connection).await).await) });
        if n < at_once {
            server.saw(n + 1).await;
        }
    }
    let mut ends = [Answered; 3];
    while let Some(ended) = calls.join_next().await {
        let (n, ended) = ended.unwrap();
        ends[n] = match ended {
            Ok(status) => {
                assert_eq!(status, Some(Code::Ok));
                Answered
            }
            Err(error) => Failed(sent(&error)),
        };
    }
    (ends, server.streams())
}

async fn expect(script: RawScript, ends: [End; 3]) {
    bounded(async {
        let (seen, streams) = three(script.clone(), 3).await;
        assert_eq!(seen, ends, "{script:?} {streams:?}");
    })
    .await;
}

#[tokio::test]
async fn streams_above_the_last_one_of_a_goaway_were_not_processed() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let script = RawScript::new()
            .after(3, go_away(3, code))
            .then(Act::AnswerAll(0));
        expect(script, [Answered, Answered, Failed(Unprocessed)]).await;
        let script = RawScript::new().after(3, go_away(1, code)).then(Act::Close);
        expect(
            script,
            [Failed(Unknown), Failed(Unprocessed), Failed(Unprocessed)],
        )
        .await;
    }
}

#[tokio::test]
async fn a_cut_after_a_goaway_leaves_the_others_unknown() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let script = RawScript::new()
            .after(3, go_away(3, code))
            .then(Act::Wait(20 * crate::support::MS))
            .then(Act::Cut);
        expect(
            script,
            [Failed(Unknown), Failed(Unknown), Failed(Unprocessed)],
        )
        .await;
    }
}

#[tokio::test]
async fn a_refused_stream_was_not_processed_and_any_other_reset_says_nothing() {
    for (code, end) in [(REFUSED_STREAM, Unprocessed), (CANCEL, Unknown)] {
        let script = RawScript::new().after(3, Act::ResetAll(code));
        expect(script, [Failed(end); 3]).await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_calls_were_sent_leaves_them_unknown() {
    for act in [Act::Cut, Act::Close] {
        expect(RawScript::new().after(3, act), [Failed(Unknown); 3]).await;
    }
}

#[tokio::test]
async fn calls_that_wait_for_a_stream_move_to_the_next_connection_in_order() {
    let script = RawScript::new()
        .max_concurrent_streams(1)
        .after(1, go_away(1, NO_ERROR))
        .then(Act::AnswerAll(0));
    bounded(async {
        let (ends, streams) = three(script, 1).await;
        assert_eq!(ends, [Answered; 3]);
        let used: Vec<_> = streams.iter().filter(|s| !s.is_empty()).collect();
        assert_eq!(used, [&[1], &[1], &[1]]);
    })
    .await;
}

#[tokio::test]
async fn calls_that_wait_for_a_stream_were_never_sent_when_nobody_is_left() {
    let script = RawScript::new()
        .max_concurrent_streams(1)
        .after(1, Act::Cut);
    bounded(async {
        let (ends, _) = three(script, 1).await;
        assert_eq!(ends, [Failed(Unknown), Failed(Never), Failed(Never)]);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_at_once_takes_no_call() {
    for act in [go_away(0, NO_ERROR), Act::Close, Act::Cut] {
        let script = RawScript::new().after(0, act);
        bounded(async {
            let (ends, streams) = three(script, 0).await;
            assert_eq!(ends, [Failed(Never); 3]);
            assert!(streams.iter().all(Vec::is_empty), "{streams:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn after_a_goaway_new_calls_go_to_a_new_connection_and_old_ones_end() {
    let script = RawScript::new()
        .after(2, go_away(HIGHEST_STREAM, NO_ERROR))
        .after(3, Act::AnswerAll(0));
    bounded(async {
        let server = RawH2::serve(script).await;
        let connection = connect(server.address()).await;
        let mut calls = JoinSet::new();
        for n in 1..=3 {
            let connection = connection.clone();
            calls.spawn(async move { call(&connection).await });
            server.saw(n).await;
        }
        assert_eq!(server.streams(), [vec![1, 3], vec![1]]);
    })
    .await;
}
