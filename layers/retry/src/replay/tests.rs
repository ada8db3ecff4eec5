//! The laws of a body that is read several times.

mod beside;
mod limits;

use super::*;
use http::HeaderMap;
use std::{collections::VecDeque, task::Waker};
use ziggurat_core::Dice;

/// Frames as they come; `None` is one that is not there yet.
#[derive(Default)]
struct Frames(VecDeque<Option<Part>>);

enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    Cut,
}

impl Frames {
    fn of(frames: &[&'static [u8]]) -> Self {
        let data = |frame: &&'static [u8]| Some(Part::Data(Bytes::from_static(frame)));
        Self(frames.iter().map(data).collect())
    }

    fn then(mut self, part: Option<Part>) -> Self {
        self.0.push_back(part);
        self
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Some(Part::Data(data))) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Some(Part::Trailers(map))) => Poll::Ready(Some(Ok(Frame::trailers(map)))),
            Some(Some(Part::Cut)) => Poll::Ready(Some(Err("cut".into()))),
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = |part: &Option<Part>| match part {
            Some(Part::Data(data)) => data.len() as u64,
            _ => 0,
        };
        SizeHint::with_exact(self.0.iter().map(bytes).sum())
    }
}

/// What one attempt got.
#[derive(Debug, Default, PartialEq)]
struct Got {
    bytes: Vec<u8>,
    trailers: Option<HeaderMap>,
    error: Option<String>,
    whole: bool,
}

/// Reads `frames` frames, or all there are.
fn read<B>(body: &mut ReplayBody<B>, frames: usize) -> Got
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut got = Got::default();
    for _ in 0..frames {
        got.whole = body.is_end_stream();
        match Pin::new(&mut *body).poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(None) => {
                got.whole = true;
                break;
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => got.bytes.extend_from_slice(&data),
                Err(frame) => got.trailers = frame.into_trailers().ok(),
            },
            Poll::Ready(Some(Err(error))) => {
                got.error = Some(error.to_string());
                break;
            }
        }
    }
    got
}

const ALL: usize = 1_000;

#[test]
fn a_second_attempt_replays_and_goes_on() {
    let mut replay = Replay::new(
        Frames::of(&[b"one", b"two", b"three"]),
        1_024,
        Share::none(),
    );
    let mut first = replay.body();
    assert_eq!(first.size_hint().exact(), Some(11));
    assert_eq!(read(&mut first, 2).bytes, b"onetwo");
    assert!(replay.rewind());
    let mut second = replay.body();
    assert_eq!(second.size_hint().exact(), Some(11));
    assert_eq!(read(&mut second, 1).bytes, b"one");
    assert_eq!(second.size_hint().exact(), Some(8));
    // The first one still lives, and must not take a frame from the second.
    let error = read(&mut first, 1).error;
    assert_eq!(error, Some(Superseded.to_string()));
    let rest = read(&mut second, ALL);
    assert_eq!(rest.bytes, b"twothree");
    assert!(rest.whole && second.is_end_stream());
    assert!(replay.rewind());
    assert_eq!(read(&mut replay.body(), ALL).bytes, b"onetwothree");
}

#[test]
fn trailers_are_replayed_too() {
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
    let body = Frames::of(&[b"one"]).then(Some(Part::Trailers(trailers.clone())));
    let mut replay = Replay::new(body, 1_024, Share::none());
    for _ in 0..3 {
        let got = read(&mut replay.body(), ALL);
        assert_eq!(got.bytes, b"one");
        assert_eq!(got.trailers.as_ref(), Some(&trailers));
        assert!(got.whole);
        assert!(replay.rewind());
        assert!(!replay.body().is_end_stream());
    }
}

#[test]
fn an_empty_body_is_repeated_for_nothing() {
    let mut replay = Replay::new(Frames::default(), 0, Share::none());
    assert!(replay.tape.is_none());
    assert!(replay.rewind() && replay.is_repeatable());
    let body = replay.body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(ReplayBody::<Frames>::default().is_end_stream());
}

#[test]
fn a_body_that_fails_is_not_repeated() {
    let body = Frames::of(&[b"one"]).then(Some(Part::Cut));
    let mut replay = Replay::new(body, 1_024, Share::none());
    let got = read(&mut replay.body(), ALL);
    assert_eq!(got.error.as_deref(), Some("cut"));
    assert!(!replay.rewind());
}

#[tokio::test]
async fn whoever_waits_for_a_frame_of_an_old_attempt_is_told() {
    let body = Frames::of(&[b"one"]).then(None);
    let mut replay = Replay::new(Silent(body), 1_024, Share::none());
    let mut old = tokio_test::task::spawn(replay.body());
    let frame = old.enter(|cx, body| body.poll_frame(cx));
    assert!(frame.is_ready());
    assert!(old.enter(|cx, body| body.poll_frame(cx)).is_pending());
    assert!(!old.is_woken());
    assert!(replay.rewind());
    assert!(old.is_woken());
    let frame = old.enter(|cx, body| body.poll_frame(cx));
    assert!(matches!(frame, Poll::Ready(Some(Err(error))) if error.is::<Superseded>()));
}

/// Any body, any limit, any number of attempts that stop anywhere: each gets a prefix of the body
/// and nothing else, and the last one all of it.
#[test]
fn every_attempt_gets_a_prefix_of_the_body_and_the_last_one_all_of_it() {
    for seed in 0..3_000 {
        let dice = Dice::seeded(seed);
        let mut whole = Vec::new();
        let mut body = Frames::default();
        for n in 0..dice.below(12) {
            let frame = vec![n as u8; dice.below(40)];
            whole.extend_from_slice(&frame);
            if dice.below(3) == 0 {
                body = body.then(None);
            }
            body = body.then(Some(Part::Data(frame.into())));
        }
        let trailers = (dice.below(2) == 0).then(|| {
            let value = http::HeaderValue::from(seed);
            HeaderMap::from_iter([(http::header::ETAG, value)])
        });
        if let Some(trailers) = &trailers {
            body = body.then(Some(Part::Trailers(trailers.clone())));
        }
        let limit = dice.below(1_200);
        let mut replay = Replay::new(Unsized(body), limit, Share::none());
        let mut older: Option<ReplayBody<_>> = None;
        loop {
            let mut attempt = replay.body();
            let last = dice.below(4) == 0;
            let stop = if last { ALL } else { dice.below(16) };
            let mut got = read(&mut attempt, stop / 2);
            // Somebody may still read what was given up.
            if let Some(older) = &mut older {
                let left = read(older, dice.below(3));
                assert!(
                    left.bytes.is_empty() && left.trailers.is_none(),
                    "seed {seed}"
                );
            }
            let more = read(&mut attempt, stop - stop / 2);
            got.bytes.extend(more.bytes);
            got.trailers = got.trailers.or(more.trailers);
            assert!(whole.starts_with(&got.bytes), "seed {seed}");
            assert!(kept(&replay) <= limit as u64, "seed {seed}");
            if last || !replay.rewind() {
                if !last {
                    let rest = read(&mut attempt, ALL);
                    got.bytes.extend(rest.bytes);
                    got.trailers = got.trailers.or(rest.trailers);
                }
                assert_eq!(got.bytes, whole, "seed {seed}");
                assert_eq!(got.trailers, trailers, "seed {seed}");
                assert!(attempt.is_end_stream(), "seed {seed}");
                break;
            }
            older = Some(attempt);
        }
    }
}

fn kept<B>(replay: &Replay<B>) -> u64 {
    replay.tape.as_ref().map_or(0, |tape| lock(tape).kept())
}

/// A body that does not say how long it is.
struct Unsized(Frames);

impl Body for Unsized {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

/// A body that waits for ever, and wakes nobody, where a frame is not there yet.
struct Silent(Frames);

impl Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.0).poll_frame(&mut cx)
    }
}
