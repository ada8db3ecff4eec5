//! What a source may do, and what is made of it.

use crate::support::{Log, Script, all, one, put, remove, scripted, told, watch};
use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::advance;
use ziggurat_core::Backoff;
use ziggurat_discover::{DiscoverLayer, Observer};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn held(&self, service: &str, instances: usize, held: usize, grace: Duration) {
        let note = format!("{service} {instances} {held} {grace:?}");
        self.0.lock().unwrap().push(note);
    }

    fn source_failed(
        &self,
        _: &str,
        error: Option<&(dyn Error + Send + Sync + 'static)>,
        retry_in: Duration,
    ) {
        let error = error.map_or("ended".into(), ToString::to_string);
        self.0.lock().unwrap().push(format!("{error} {retry_in:?}"));
    }
}

fn even() -> Backoff {
    let backoff = Backoff::new(SECOND, 2.0, 8 * SECOND).unwrap();
    backoff.jitter(0.0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_asked_for_again_and_its_last_word_stands() {
    let script = Script::default();
    let first = script.stream();
    let notes = Notes::default();
    let layer = DiscoverLayer::new(script.clone(), "echo")
        .backoff(even())
        .observe_with(notes.clone());
    let log = Log::default();
    let mut endpoints = watch(&layer, log.clone());
    first.send(all([one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints).len(), 2);
    drop(first);
    assert!(told(&mut endpoints).is_empty());
    // The next one ends without a word.
    drop(script.stream());
    let third = script.stream();
    third.send(all([one(2), one(3)])).unwrap();
    advance(SECOND).await;
    assert!(endpoints.is_woken());
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(script.unused(), 1);
    advance(SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(script.unused(), 1, "it waits longer each time");
    advance(SECOND).await;
    log.take();
    assert_eq!(told(&mut endpoints), ["+i03:4", "-i01"]);
    assert_eq!(log.take(), ["i03:4"]);
    assert_eq!(*notes.0.lock().unwrap(), ["ended 1s", "ended 2s"]);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_ends_nothing() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn changed(&self, _: &str, _: usize, _: usize) {
            panic!("on purpose");
        }

        fn source_failed(
            &self,
            _: &str,
            _: Option<&(dyn Error + Send + Sync + 'static)>,
            _: Duration,
        ) {
            panic!("on purpose");
        }
    }
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer.backoff(even()).observe_with(Clumsy), Log::default());
    say.send(all([one(1)])).unwrap();
    say.send(Err("no leader".into())).unwrap();
    say.send(put(one(2))).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
    advance(SECOND).await;
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_nothing() {
    let (say, layer) = scripted();
    let layer = layer.backoff(even());
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1)])).unwrap();
    say.send(Err("no leader".into())).unwrap();
    say.send(put(one(2))).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
    advance(SECOND).await;
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
}

#[tokio::test(start_paused = true)]
async fn news_between_errors_are_heard_as_soon_as_after_the_first() {
    let (say, layer) = scripted();
    let layer = layer.backoff(even());
    let mut endpoints = watch(&layer, Log::default());
    for n in 1..=8 {
        say.send(Err("no leader".into())).unwrap();
        say.send(put(one(n))).unwrap();
        assert!(told(&mut endpoints).is_empty());
        advance(SECOND).await;
        assert_eq!(told(&mut endpoints).len(), 1, "number {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_only_errors_is_asked_less_and_less() {
    let (say, layer) = scripted();
    let notes = Notes::default();
    let layer = layer.backoff(even()).observe_with(notes.clone());
    let mut endpoints = watch(&layer, Log::default());
    for _ in 0..10_000 {
        say.send(Err("no".into())).unwrap();
    }
    for _ in 0..30 {
        assert!(told(&mut endpoints).is_empty());
        advance(SECOND).await;
    }
    let notes = notes.0.lock().unwrap();
    assert_eq!(notes[..4], ["no 1s", "no 2s", "no 4s", "no 8s"]);
    assert!(notes.len() < 8, "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_emptied_is_held_for_the_grace_period() {
    let (say, layer) = scripted();
    let notes = Notes::default();
    let layer = layer.grace(10 * SECOND).observe_with(notes.clone());
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1), one(2)])).unwrap();
    told(&mut endpoints);
    say.send(all([])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    advance(9 * SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    advance(2 * SECOND).await;
    assert!(endpoints.is_woken());
    assert_eq!(told(&mut endpoints), ["-i01", "-i02"]);
    assert_eq!(*notes.0.lock().unwrap(), ["echo 0 2 10s"]);
}

#[tokio::test(start_paused = true)]
async fn instances_that_vanish_and_come_back_are_never_missed() {
    let (say, layer) = scripted();
    let log = Log::default();
    let mut endpoints = watch(&layer, log.clone());
    say.send(all((0..10).map(one))).unwrap();
    assert_eq!(told(&mut endpoints).len(), 10);
    log.take();
    for n in 0..10 {
        say.send(remove(n)).unwrap();
    }
    assert!(told(&mut endpoints).is_empty());
    advance(5 * SECOND).await;
    for n in 0..9 {
        say.send(put(one(n))).unwrap();
    }
    assert_eq!(told(&mut endpoints), ["-i09"]);
    advance(60 * SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_among_others_leaves_at_once() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1), one(2)])).unwrap();
    told(&mut endpoints);
    say.send(remove(1)).unwrap();
    assert_eq!(told(&mut endpoints), ["-i01"]);
}

#[tokio::test(start_paused = true)]
async fn a_grace_period_that_no_clock_can_hold_is_a_long_one() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer.grace(Duration::MAX), Log::default());
    say.send(all([one(1)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
    say.send(all([])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    advance(86_400 * SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
}

#[tokio::test(start_paused = true)]
async fn a_backoff_that_no_clock_can_hold_ends_nothing() {
    let (say, layer) = scripted();
    let longest = Backoff::new(Duration::MAX / 2, 2.0, Duration::MAX / 2).unwrap();
    let mut endpoints = watch(&layer.backoff(longest.jitter(0.0).unwrap()), Log::default());
    say.send(all([one(1)])).unwrap();
    say.send(Err("no leader".into())).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
    assert!(told(&mut endpoints).is_empty());
}
