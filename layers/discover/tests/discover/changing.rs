//! An instance that changes: where it is, and everything else.

use crate::support::{Fake, Log, all, at, events, one, put, remove, scripted, told, watch};
use std::{
    future::{Ready, ready},
    num::NonZeroU32,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::advance;
use tower::{Service, discover::Change};
use ziggurat_core::{Backoff, BoxError, Endpoint, Instance, State};

const SECOND: Duration = Duration::from_secs(1);

/// Answers at once with endpoints that are not connected yet, and keeps what it takes to change
/// that.
#[derive(Clone, Default)]
struct Eager(Arc<Mutex<Vec<Handle>>>);

/// A handle of an endpoint that does not keep it.
struct Handle {
    fake: Fake,
    handles: Weak<()>,
}

impl Eager {
    /// How many endpoints were made so far.
    fn made(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn says(&self, endpoint: usize, state: State) {
        self.0.lock().unwrap()[endpoint].fake.says(state);
    }

    fn is_draining(&self, endpoint: usize) -> bool {
        self.0.lock().unwrap()[endpoint].fake.is_draining()
    }

    fn is_alive(&self, endpoint: usize) -> bool {
        self.0.lock().unwrap()[endpoint].handles.strong_count() > 0
    }
}

impl Service<Instance> for Eager {
    type Response = Fake;
    type Error = BoxError;
    type Future = Ready<Result<Fake, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        let fake = Fake::connecting(&instance);
        let mut kept = fake.clone();
        kept.handles = Arc::default();
        self.0.lock().unwrap().push(Handle {
            fake: kept,
            handles: Arc::downgrade(&fake.handles),
        });
        ready(Ok(fake))
    }
}

fn heavy(n: u16, weight: u32) -> Instance {
    one(n).with_weight(NonZeroU32::new(weight).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_beat_in_the_metadata_and_a_new_zone_cost_no_connection_and_no_event() {
    let (say, layer) = scripted();
    let log = Log::default();
    let mut endpoints = watch(&layer, log.clone());
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints).len(), 2);
    for beat in 0..20 {
        let beating = one(1).with_metadata("beat", beat.to_string());
        let zone = if beat % 2 == 0 { "a" } else { "b" };
        say.send(put(beating.with_zone(zone).unwrap())).unwrap();
        assert!(told(&mut endpoints).is_empty());
    }
    assert_eq!(log.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_weight_is_told_of_the_endpoint_that_there_is() {
    let (say, layer) = scripted();
    let log = Log::default();
    let mut endpoints = watch(&layer, log.clone());
    say.send(all([heavy(1, 1), heavy(2, 9)])).unwrap();
    let mut seen = Vec::new();
    for weight in 2..20 {
        let beating = heavy(1, weight).with_metadata("beat", weight.to_string());
        seen.extend(events(&mut endpoints));
        say.send(put(beating)).unwrap();
    }
    seen.extend(events(&mut endpoints));
    assert_eq!(log.take(), ["i01:2", "i02:3"]);
    let mut weights = Vec::new();
    let mut first: Option<Fake> = None;
    for event in seen {
        let Change::Insert(id, discovered) = event else {
            panic!("{event:?}");
        };
        if id.as_str() == "i02" {
            assert_eq!(discovered.weight(), 9);
            continue;
        }
        weights.push(discovered.weight());
        assert!(!discovered.get_ref().is_draining());
        let first = first.get_or_insert_with(|| discovered.get_ref().clone());
        assert!(Arc::ptr_eq(&first.handles, &discovered.get_ref().handles));
    }
    assert!(weights.into_iter().eq(1..20));
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_changes_and_changes_back_or_leaves_is_not_told() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1), one(2), one(3)])).unwrap();
    assert_eq!(told(&mut endpoints).len(), 3);
    say.send(put(heavy(1, 5))).unwrap();
    say.send(put(one(1))).unwrap();
    say.send(put(heavy(2, 5))).unwrap();
    say.send(remove(2)).unwrap();
    assert_eq!(told(&mut endpoints), ["-i02"]);
}

#[tokio::test(start_paused = true)]
async fn a_beat_cuts_no_connector_and_no_pause_short() {
    let (say, layer) = scripted();
    let even = Backoff::new(SECOND, 2.0, 60 * SECOND).unwrap();
    let layer = layer.backoff(even.jitter(0.0).unwrap());
    let (connector, mut handle) = tower_test::mock::pair::<Instance, Fake>();
    handle.allow(100);
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1)])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    let (_, answer) = handle.next_request().await.unwrap();
    answer.send_error("no way");
    for beat in 0..9 {
        say.send(put(heavy(1, 2 + beat))).unwrap();
        assert!(told(&mut endpoints).is_empty());
        advance(SECOND / 10).await;
    }
    advance(SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    let (instance, answer) = handle.next_request().await.unwrap();
    say.send(put(heavy(1, 77))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    answer.send_response(Fake::of(&instance));
    let [Change::Insert(_, discovered)] = &events(&mut endpoints)[..] else {
        panic!("it was connected");
    };
    assert_eq!(discovered.weight(), 77, "as it is now");
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_stays_where_it_was_until_it_is_connected_where_it_is() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2"], "the first need not wait");
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(eager.made(), 2);
    // Its metadata may go on changing meanwhile, and it may fail and try again.
    say.send(put(at(1, 50).with_metadata("beat", "1"))).unwrap();
    eager.says(1, State::Down);
    advance(5 * SECOND).await;
    eager.says(1, State::Connecting);
    assert!(told(&mut endpoints).is_empty());
    assert!(!eager.is_draining(0));
    eager.says(1, State::Ready);
    assert!(endpoints.is_woken());
    assert_eq!(told(&mut endpoints), ["+i01:50"]);
    assert!(eager.is_draining(0));
    assert!(!eager.is_alive(0));
    assert!(!eager.is_draining(1));
    assert_eq!(eager.made(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_to_where_nobody_is_found_is_believed_in_the_end() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1)])).unwrap();
    told(&mut endpoints);
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    for _ in 0..19 {
        assert!(told(&mut endpoints).is_empty());
        assert!(!eager.is_draining(0));
        eager.says(1, State::Down);
        advance(SECOND).await;
        eager.says(1, State::Connecting);
    }
    advance(2 * SECOND).await;
    assert_eq!(told(&mut endpoints), ["+i01:50"]);
    assert!(eager.is_draining(0));
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_is_followed_as_soon_as_nobody_is_left_where_it_was() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1)])).unwrap();
    told(&mut endpoints);
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    eager.says(0, State::Down);
    assert_eq!(told(&mut endpoints), ["+i01:50"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_and_is_only_connected_when_it_is_called_is_not_waited_for() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1)])).unwrap();
    told(&mut endpoints);
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    eager.says(1, State::Idle);
    assert_eq!(told(&mut endpoints), ["+i01:50"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_and_is_removed_drains_at_once() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1), one(2)])).unwrap();
    told(&mut endpoints);
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert!(eager.is_alive(2));
    say.send(remove(1)).unwrap();
    assert_eq!(told(&mut endpoints), ["-i01"]);
    assert!(eager.is_draining(0));
    assert!(!eager.is_alive(2), "nobody waits for it any more");
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_and_moved_back_was_never_away() {
    let (say, layer) = scripted();
    let eager = Eager::default();
    let mut endpoints = watch(&layer, eager.clone());
    say.send(all([one(1)])).unwrap();
    told(&mut endpoints);
    eager.says(0, State::Ready);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    say.send(put(one(1))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert!(!eager.is_alive(1));
    advance(60 * SECOND).await;
    assert!(told(&mut endpoints).is_empty());
    assert!(!eager.is_draining(0));
}
