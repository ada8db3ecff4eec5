//! What changes cause, and what they do not.

use crate::support::{Fake, Log, all, at, events, one, put, remove, scripted, told, watch};
use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};
use tower::discover::Change;
use ziggurat_core::{Dice, Endpoint, EndpointId, Named};
use ziggurat_discover::{DiscoverLayer, Fixed, Watched};

#[test]
fn a_layer_needs_no_runtime_and_asks_nobody_before_the_first_poll() {
    let script = crate::support::Script::default();
    let _say = script.stream();
    let layer = DiscoverLayer::new(script.clone(), "echo");
    let mut endpoints = watch(&layer, Log::default());
    assert_eq!(endpoints.service(), "echo");
    assert_eq!(script.unused(), 1);
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(script.unused(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_set_becomes_inserts_in_order_of_id() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(3), one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2", "+i02:3", "+i03:4"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_again_causes_nothing() {
    let (say, layer) = scripted();
    let log = Log::default();
    let mut endpoints = watch(&layer, log.clone());
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints).len(), 2);
    log.take();
    say.send(all([one(1), one(2)])).unwrap();
    say.send(put(one(2))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    say.send(remove(2)).unwrap();
    say.send(put(one(2))).unwrap();
    assert!(told(&mut endpoints).is_empty(), "gone and back in one go");
    say.send(remove(9)).unwrap();
    assert!(told(&mut endpoints).is_empty(), "never there");
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_set_is_applied_as_a_difference_and_who_comes_is_told_first() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1), one(2), one(3)])).unwrap();
    told(&mut endpoints);
    say.send(all([one(2), at(3, 99), one(4)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i03:99", "+i04:5", "-i01"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_moved_is_connected_there_and_the_old_endpoint_drains() {
    let (say, layer) = scripted();
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1), one(2)])).unwrap();
    let old: BTreeMap<EndpointId, Fake> = events(&mut endpoints)
        .into_iter()
        .filter_map(|event| match event {
            Change::Insert(id, fake) => Some((id, fake.into_inner())),
            Change::Remove(_) => None,
        })
        .collect();
    say.send(put(at(1, 77))).unwrap();
    say.send(remove(2)).unwrap();
    let after = events(&mut endpoints);
    let [Change::Insert(_, new), Change::Remove(gone)] = &after[..] else {
        panic!("{after:?}");
    };
    assert_eq!((new.get_ref().port, gone.as_str()), (77, "i02"));
    assert!(!new.get_ref().is_draining());
    assert!(old.values().all(Fake::is_draining));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_changes_converges_to_the_sources_truth() {
    let dice = Dice::seeded(11);
    let (say, layer) = scripted();
    let layer = layer.whole().grace(Duration::ZERO);
    let mut endpoints = watch(&layer, Log::default());
    let (mut truth, mut seen) = (BTreeMap::new(), BTreeMap::new());
    say.send(all([])).unwrap();
    for _ in 0..2_000 {
        let n = u16::try_from(dice.below(30)).unwrap();
        let port = u16::try_from(1 + dice.below(3)).unwrap();
        if dice.below(3) == 0 {
            truth.remove(one(n).id());
            say.send(remove(n)).unwrap();
        } else {
            truth.insert(one(n).id().clone(), port);
            say.send(put(at(n, port))).unwrap();
        }
        if dice.below(4) == 0 {
            // A task that never yields is told by tokio's channels that there is nothing.
            tokio::task::yield_now().await;
            for event in events(&mut endpoints) {
                match event {
                    Change::Insert(id, fake) => {
                        let port = fake.get_ref().port;
                        let before = seen.insert(id, port);
                        assert_ne!(before, Some(port), "an unchanged one was inserted");
                    }
                    Change::Remove(id) => assert!(seen.remove(&id).is_some()),
                }
            }
            assert_eq!(seen, truth);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_passes_the_filter_is_seen() {
    let (say, layer) = scripted();
    let layer = layer.filter(|one| one.metadata().get("lane").is_none_or(|lane| lane == "blue"));
    let mut endpoints = watch(&layer, Log::default());
    let green = one(2).with_metadata("lane", "green");
    say.send(all([one(1), green, one(3)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i01:2", "+i03:4"]);
    say.send(put(one(2).with_metadata("lane", "blue"))).unwrap();
    say.send(put(one(3).with_metadata("lane", "green")))
        .unwrap();
    assert_eq!(told(&mut endpoints), ["+i02:3", "-i03"]);
}

#[tokio::test(start_paused = true)]
async fn a_subset_stays_as_it_is_while_others_come_and_go() {
    let (say, layer) = scripted();
    let layer = layer
        .subset(NonZeroUsize::new(8).unwrap())
        .dice(Dice::seeded(5));
    let mut endpoints = watch(&layer, Log::default());
    say.send(all((0..40).map(one))).unwrap();
    let inserted = told(&mut endpoints);
    assert_eq!(inserted.len(), 8);
    let mut events = 0;
    for n in 40..80 {
        say.send(put(one(n))).unwrap();
        let told = told(&mut endpoints);
        assert!(told.is_empty() || told.len() == 2, "{told:?}");
        events += told.len();
    }
    assert!(events < 40, "{events} events for 40 newcomers");
    for n in 40..80 {
        say.send(remove(n)).unwrap();
        told(&mut endpoints);
    }
    say.send(all((0..40).map(one))).unwrap();
    assert!(told(&mut endpoints).is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_streams_of_one_layer_are_each_their_own() {
    let fixed = Fixed::new((0..60).map(one));
    let layer = DiscoverLayer::new(fixed, "echo").dice(Dice::seeded(1));
    let mut first = told(&mut watch(&layer, Log::default()));
    let mut second = told(&mut watch(&layer, Log::default()));
    first.sort();
    second.sort();
    assert_eq!((first.len(), second.len()), (32, 32));
    assert_ne!(first, second);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_list_finds_the_instances_of_the_service_that_is_asked_for() {
    let other = ziggurat_core::Instance::new("other", "x", "10.0.0.1", 1).unwrap();
    let layer = DiscoverLayer::new(Fixed::new([one(2), other, one(1)]), "echo");
    let mut endpoints = watch(&layer, Log::default());
    assert_eq!(told(&mut endpoints), ["+i01:2", "+i02:3"]);
}

#[tokio::test(start_paused = true)]
async fn a_watched_list_is_followed_and_stays_when_its_sender_is_gone() {
    let (sender, watched) = Watched::channel([one(1)]);
    let layer = DiscoverLayer::new(watched, "echo");
    let mut endpoints = watch(&layer, Log::default());
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
    sender.send(vec![one(1), one(2)]).unwrap();
    assert!(endpoints.is_woken());
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
    drop(sender);
    assert!(told(&mut endpoints).is_empty());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(told(&mut endpoints).is_empty());
}

#[tokio::test(start_paused = true)]
async fn endpoints_keep_their_own_names() {
    let layer = DiscoverLayer::new(Fixed::new([one(1)]), "echo");
    let first = events(&mut watch(&layer, Log::default())).pop();
    let Some(Change::Insert(id, fake)) = first else {
        panic!("{first:?}");
    };
    assert_eq!(&id, fake.id());
}

#[test]
fn a_stream_crosses_threads_and_may_be_moved() {
    const fn moves<T: Unpin>() {}
    moves::<ziggurat_discover::Endpoints<Log>>();
    ziggurat_testkit::assert_send::<ziggurat_discover::Endpoints<Log>>();
    ziggurat_testkit::assert_sync::<DiscoverLayer>();
}
