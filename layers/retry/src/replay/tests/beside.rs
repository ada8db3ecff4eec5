//! Attempts that read one body at the same time.

use super::*;

/// Says once in a while that it has nothing yet, and remembers only the last one who asked.
#[derive(Default)]
struct Slow {
    parts: VecDeque<Bytes>,
    there: bool,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.there = !self.there;
        if self.there {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.parts.pop_front().map(|data| Ok(Frame::data(data))))
    }
}

#[test]
fn attempts_beside_one_another_each_read_it_all() {
    let dice = Dice::seeded(7);
    for _ in 0..1_000 {
        let parts: VecDeque<_> = (0..9_u8).map(|n| Bytes::from(vec![n; 3])).collect();
        let slow = Slow {
            parts,
            ..Slow::default()
        };
        let mut replay = Replay::new(slow, 1_024, Share::none());
        let mut bodies = vec![(replay.body(), Vec::new(), false)];
        while !bodies.iter().all(|(_, _, whole)| *whole) || bodies.len() < 4 {
            if bodies.len() < 4 && dice.below(5) == 0 {
                replay.join().unwrap();
                bodies.push((replay.body(), Vec::new(), false));
            }
            let one = dice.below(bodies.len());
            let (body, bytes, whole) = &mut bodies[one];
            if !*whole {
                let got = read(body, 1);
                assert_eq!(got.error, None);
                bytes.extend(got.bytes);
                *whole = got.whole;
            }
        }
        let expected: Vec<u8> = (0..9_u8).flat_map(|n| [n; 3]).collect();
        for (_, bytes, _) in &bodies {
            assert_eq!(*bytes, expected);
        }
    }
}

#[test]
fn of_attempts_beside_one_another_who_is_ahead_goes_on_when_it_is_too_much() {
    let parts = [1, 2, 3].map(|n| Bytes::from(vec![n; 100]));
    let slow = Slow {
        parts: VecDeque::from(parts),
        ..Slow::default()
    };
    // A stream does not say how much there will be.
    let mut replay = Replay::new(slow, 250, Share::none());
    let (mut first, turn) = (replay.body(), replay.join().unwrap());
    let mut second = replay.body();
    assert_eq!(read(&mut first, 2).bytes.len(), 100);
    assert_eq!(replay.survivor(), None);
    assert_eq!(read(&mut second, ALL).bytes.len(), 300);
    assert_eq!(replay.survivor(), Some(turn));
    assert_eq!(read(&mut first, 1).error, Some(Superseded.to_string()));
    assert_eq!((replay.join(), kept(&replay)), (None, 0));
}

#[test]
fn a_body_that_breaks_is_whole_to_nobody() {
    let frames = Frames::of(&[b"one"]).then(Some(Part::Cut));
    let mut replay = Replay::new(frames, 1_024, Share::none());
    let mut first = replay.body();
    replay.join().unwrap();
    let mut second = replay.body();
    assert_eq!(read(&mut second, ALL).error, Some("cut".into()));
    let got = read(&mut first, ALL);
    assert_eq!(
        (got.error, got.whole),
        (Some(Superseded.to_string()), false)
    );
}

#[test]
fn the_chosen_attempt_reads_on_and_the_others_do_not() {
    for chosen in 0..3 {
        let mut replay = Replay::new(Frames::of(&[b"one", b"two"]), 1_024, Share::none());
        let mut bodies = vec![replay.body()];
        for turn in 1..3 {
            assert_eq!(replay.join(), Some(turn));
            bodies.push(replay.body());
        }
        bodies.iter_mut().for_each(|body| {
            read(body, 1);
        });
        replay.choose(chosen);
        drop(replay);
        for (turn, body) in (0..).zip(&mut bodies) {
            let got = read(body, ALL);
            assert_eq!(got.error.is_none(), turn == chosen);
            assert_eq!(got.bytes, if turn == chosen { &b"two"[..] } else { b"" });
        }
    }
}

#[test]
fn whoever_waits_hears_of_a_frame_even_if_the_last_who_asked_is_gone() {
    let waker = Arc::default();
    let slow = Slow {
        parts: VecDeque::from([Bytes::from("one")]),
        there: false,
        waker: Arc::clone(&waker),
    };
    let mut replay = Replay::new(slow, 1_024, Share::none());
    let mut first = replay.body();
    let mut waits = tokio_test::task::spawn(());
    assert!(
        waits
            .enter(|cx, _| Pin::new(&mut first).poll_frame(cx))
            .is_pending()
    );
    replay.join().unwrap();
    // Asks for the first time, and finds the frame: the first has to hear of it.
    let mut second = replay.body();
    assert_eq!(read(&mut second, 1).bytes, b"one");
    assert!(waits.is_woken());
    assert!(
        !waits
            .enter(|cx, _| Pin::new(&mut first).poll_frame(cx))
            .is_pending()
    );
    assert!(
        waits
            .enter(|cx, _| Pin::new(&mut first).poll_frame(cx))
            .is_pending()
    );
    // The inner body's last word is to the second, which goes; `Slow` says nothing every other time.
    read(&mut second, 2);
    drop(second);
    if let Some(waker) = waker.lock().unwrap().take() {
        waker.wake();
    }
    assert!(waits.is_woken());
}
