//! How much of a body is kept, and what becomes of it.

use super::*;

#[test]
fn trailers_take_room_too() {
    let long = "x".repeat(4_000).parse().unwrap();
    let trailers = HeaderMap::from_iter([(http::header::ETAG, long)]);
    let body = || Frames::of(&[b"one"]).then(Some(Part::Trailers(trailers.clone())));
    let total = ReplayRoom::default();
    for (limit, room, fits) in [
        (5_000, 5_000, true),
        (3_000, 5_000, false),
        (5_000, 500, false),
    ] {
        let mut replay = Replay::new(body(), limit, total.share(room));
        let got = read(&mut replay.body(), ALL);
        assert_eq!(got.trailers.as_ref(), Some(&trailers));
        assert_eq!(replay.rewind(), fits, "{limit} {room}");
        assert_eq!(total.kept() > 3_000, fits, "{limit} {room}");
        drop(replay);
        assert_eq!(total.kept(), 0);
    }
}

#[test]
fn a_body_that_says_it_is_too_long_is_never_kept() {
    let long = Bytes::from(vec![7; 101]);
    let body = Frames::default().then(Some(Part::Data(long.clone())));
    let mut replay = Replay::new(body, 100, Share::none());
    assert!(!replay.is_repeatable());
    let mut body = replay.body();
    assert_eq!(body.size_hint().exact(), Some(101));
    assert_eq!(read(&mut body, ALL).bytes, long);
    assert!(!replay.rewind());
}

#[test]
fn a_body_that_outgrows_the_limit_goes_on_and_lets_go_of_what_was_kept() {
    let chunk = || Some(Part::Data(Bytes::from(vec![7; 100])));
    let body = (0..10).fold(Frames::default(), |body, _| body.then(chunk()));
    let hinted = body.size_hint().exact();
    let mut replay = Replay::new(Unsized(body), 350, Share::none());
    assert_eq!(hinted, Some(1_000));
    let mut body = replay.body();
    assert_eq!(read(&mut body, 3).bytes.len(), 300);
    assert!(replay.is_repeatable());
    assert_eq!(kept(&replay), 300);
    assert_eq!(read(&mut body, 1).bytes.len(), 100);
    assert!(!replay.is_repeatable());
    assert_eq!(kept(&replay), 0);
    assert_eq!(read(&mut body, ALL).bytes.len(), 600);
    assert!(!replay.rewind());
}

#[test]
fn many_little_frames_cost_more_than_their_bytes() {
    let one = || Some(Part::Data(Bytes::from_static(b"x")));
    let body = (0..100).fold(Frames::default(), |body, _| body.then(one()));
    let replay = Replay::new(Unsized(body), 64 * 99, Share::none());
    assert_eq!(read(&mut replay.body(), ALL).bytes.len(), 100);
    assert!(!replay.is_repeatable());
}

#[test]
fn a_body_of_exactly_the_limit_is_repeated() {
    let body = Frames::default().then(Some(Part::Data(Bytes::from(vec![7; 65_536]))));
    let mut replay = Replay::new(body, 65_536, Share::none());
    assert_eq!(read(&mut replay.body(), ALL).bytes.len(), 65_536);
    assert!(replay.rewind());
}

#[test]
fn a_call_that_is_over_keeps_nothing_and_its_body_goes_on() {
    let mut replay = Replay::new(
        Frames::of(&[b"one", b"two", b"three", b"four"]),
        1_024,
        Share::none(),
    );
    read(&mut replay.body(), 3);
    assert!(replay.rewind());
    let mut body = replay.body();
    read(&mut body, 1);
    let tape = replay.tape.clone().unwrap();
    drop(replay);
    assert_eq!(lock(&tape).kept(), 8);
    assert_eq!(read(&mut body, ALL).bytes, b"twothreefour");
    assert_eq!(lock(&tape).kept(), 0);
}

#[test]
fn an_attempt_that_still_reads_in_another_thread_spoils_nothing_and_leaves_no_room_taken() {
    let chunk = |number: u8| Some(Part::Data(Bytes::from(vec![number; 100])));
    let whole: Vec<u8> = (0..100).flat_map(|number| [number; 100]).collect();
    let room = ReplayRoom::default();
    for _ in 0..200 {
        let body = (0..100).fold(Frames::default(), |body, number| body.then(chunk(number)));
        let mut replay = Replay::new(body, 20_000, room.share(20_000));
        std::thread::scope(|scope| {
            for turn in 0..3 {
                let mut body = replay.body();
                let whole = &whole;
                scope.spawn(move || {
                    let got = read(&mut body, ALL);
                    assert!(whole.starts_with(&got.bytes));
                    assert!(got.error.is_some() || got.bytes == *whole);
                    // Only what was taken over is cut short, and says so.
                    assert!(turn < 2 || got.error.is_none());
                });
                if turn < 2 {
                    assert!(replay.rewind());
                }
            }
            drop(replay);
        });
        assert_eq!(room.kept(), 0);
    }
}
