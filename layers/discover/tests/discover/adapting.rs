//! Sources that stand on other sources.

use crate::support::{Fake, Log, Say, Script, all, at, one, put, remove, told, watch};
use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, task::Poll, time::Duration};
use tokio_test::task::{Spawn, spawn};
use tower::discover;
use ziggurat_core::{Change, Changes, EndpointId, Instance, Live, Resolve, State};
use ziggurat_discover::{Aperture, DiscoverLayer, Feedback, Fixed, ResolveExt, Zones};

const TEN: Duration = Duration::from_secs(10);

/// A source on one stream that the test speaks on.
fn scripted() -> (Say, Script) {
    let script = Script::default();
    (script.stream(), script)
}

fn here(n: u16) -> Instance {
    one(n).with_zone("here").unwrap()
}

fn there(n: u16) -> Instance {
    one(n).with_zone("there").unwrap()
}

/// `=a,b` for all, `+a` and `-a`, `!` for trouble and `.` for the end.
fn heard(changes: &mut Spawn<Changes>) -> Vec<String> {
    let weighed = |one: &Arc<Instance>| match one.weight().get() {
        1 => one.id().to_string(),
        weight => format!("{}*{weight}", one.id()),
    };
    let mut heard = Vec::new();
    while let Poll::Ready(item) = changes.poll_next() {
        heard.push(match item {
            Some(Ok(Change::All(all))) => {
                let names: Vec<_> = all.iter().map(weighed).collect();
                format!("={}", names.join(","))
            }
            Some(Ok(Change::Put(one))) => format!("+{}", weighed(&one)),
            Some(Ok(Change::Remove(id))) => format!("-{id}"),
            Some(Ok(Change::Left(id))) => format!("~{id}"),
            Some(Ok(Change::Current)) => "ok".to_owned(),
            Some(Ok(other)) => format!("{other:?}"),
            Some(Err(_)) => "!".to_owned(),
            None => {
                heard.push(".".to_owned());
                return heard;
            }
        });
    }
    heard
}

fn follow(source: impl Resolve) -> Spawn<Changes> {
    spawn(source.resolve("echo"))
}

#[tokio::test(start_paused = true)]
async fn a_filter_says_what_passes_and_nothing_else() {
    let (say, script) = scripted();
    let canary = |n| one(n).with_metadata("version", "2");
    let mut changes = follow(script.only_with("version", "2"));
    assert!(heard(&mut changes).is_empty());
    say.send(all([one(1), canary(2), one(3), canary(4)]))
        .unwrap();
    assert_eq!(heard(&mut changes), ["=i02,i04"]);
    say.send(put(one(5))).unwrap();
    say.send(remove(1)).unwrap();
    say.send(remove(9)).unwrap();
    say.send(put(canary(2))).unwrap();
    assert!(heard(&mut changes).is_empty(), "nothing of interest");
    say.send(put(canary(1))).unwrap();
    say.send(put(one(2))).unwrap();
    say.send(remove(4)).unwrap();
    assert_eq!(heard(&mut changes), ["+i01", "~i02", "-i04"]);
    say.send(Err("no".into())).unwrap();
    say.send(put(one(7))).unwrap();
    assert_eq!(
        heard(&mut changes),
        ["!", "ok"],
        "well, and nothing of interest"
    );
    say.send(put(canary(8))).unwrap();
    say.send(Ok(Change::Left(one(8).id().clone()))).unwrap();
    say.send(Ok(Change::Left(one(1).id().clone()))).unwrap();
    say.send(Ok(Change::Current)).unwrap();
    assert_eq!(heard(&mut changes), ["~i01"]);
    say.send(all([canary(1)])).unwrap();
    say.send(all([])).unwrap();
    assert!(
        heard(&mut changes).is_empty(),
        "it came and went in between"
    );
}

#[tokio::test(start_paused = true)]
async fn trouble_is_handed_on_in_order_and_the_end_is_the_end() {
    let (say, script) = scripted();
    let mut changes = follow(script.only(|_| true));
    say.send(Err("no".into())).unwrap();
    say.send(all([one(1)])).unwrap();
    say.send(put(one(2))).unwrap();
    say.send(Err("no".into())).unwrap();
    say.send(put(one(3))).unwrap();
    drop(say);
    assert_eq!(heard(&mut changes), ["!", "=i01,i02", "!", "+i03", "."]);
    // Script's streams panic when they are polled after their end; this one does not.
    assert_eq!(heard(&mut changes), ["."]);
}

#[tokio::test(start_paused = true)]
async fn adapters_stand_on_one_another() {
    let instances = (0..8).map(|n| if n % 2 == 0 { here(n) } else { there(n) });
    let aperture = Aperture::new(0, 2, NonZeroU32::MIN).unwrap();
    let chain = || {
        let source = Fixed::new(instances.clone());
        let source = source.only(|one| one.port() > 2);
        source.prefer_zone(Zones::new("here"))
    };
    assert_eq!(heard(&mut follow(chain())), ["=i02,i04,i06"]);
    let mut mine = heard(&mut follow(chain().aperture(aperture)));
    let other = Aperture::new(1, 2, NonZeroU32::MIN).unwrap();
    mine.extend(heard(&mut follow(chain().aperture(other))));
    // Half of three is one and a half, whichever they are.
    let weights: Vec<_> = mine
        .iter()
        .map(|said| (said.matches("*100").count(), said.matches("*50").count()))
        .collect();
    assert_eq!(weights, [(1, 1), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_live_aperture_is_followed_when_instances_change() {
    let (say, script) = scripted();
    let of = |clients| Aperture::new(0, clients, NonZeroU32::MIN).unwrap();
    let (setter, live) = Live::channel(of(1));
    let mut changes = follow(script.aperture(live));
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(heard(&mut changes), ["=i01,i02"]);
    setter.set(of(2));
    say.send(put(one(3))).unwrap();
    let said = heard(&mut changes);
    assert!(
        said.iter().all(|one| one.contains('*')),
        "a part of them: {said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_aperture_is_followed_while_no_instance_changes() {
    let (say, script) = scripted();
    let of = |clients| Aperture::new(0, clients, NonZeroU32::MIN).unwrap();
    let (setter, live) = Live::channel(of(1));
    let mut changes = follow(script.aperture(live));
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(heard(&mut changes), ["=i01,i02"]);
    // Another client has come.
    setter.set(of(2));
    tokio::time::sleep(TEN).await;
    assert!(changes.is_woken());
    // One of them falls to the other client, and is not missing.
    assert_eq!(heard(&mut changes), ["+i01*100", "~i02"]);
    tokio::time::sleep(TEN).await;
    assert!(heard(&mut changes).is_empty(), "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_too_small_spills() {
    let (say, script) = scripted();
    let mut changes = follow(script.prefer_zone(Zones::new("here")));
    say.send(all([here(1), here(2), here(3), there(4), there(5)]))
        .unwrap();
    assert_eq!(heard(&mut changes), ["=i01,i02,i03"], "nobody elsewhere");
    say.send(remove(3)).unwrap();
    // Two of three: six tenths here, four there, of ten thousand parts.
    let spilt = ["+i01*3000", "+i02*3000", "+i04*2000", "+i05*2000", "-i03"];
    assert_eq!(heard(&mut changes), spilt);
    say.send(remove(1)).unwrap();
    say.send(remove(2)).unwrap();
    assert_eq!(heard(&mut changes), ["+i04", "+i05", "-i01", "-i02"]);
    // One that does better is believed when that lasts.
    say.send(all([here(1), here(2), here(3), there(4), there(5)]))
        .unwrap();
    assert_eq!(heard(&mut changes), ["+i01", "+i02", "+i03"]);
    tokio::time::sleep(TEN).await;
    assert!(changes.is_woken());
    assert_eq!(heard(&mut changes), ["~i04", "~i05"]);
}

#[tokio::test(start_paused = true)]
async fn a_zone_whose_endpoints_are_out_spills_until_they_have_come_back() {
    let feedback = Feedback::default();
    let zones = Zones::new("here").feedback(feedback.clone());
    let source = Fixed::new([here(1), here(2), here(3), here(4), there(5)]).prefer_zone(zones);
    let layer = DiscoverLayer::new(source, "echo").feedback(feedback);
    let mut endpoints = watch(&layer, Log::default());
    let mut fakes: Vec<Fake> = Vec::new();
    let mut weights = |endpoints: &mut Spawn<_>| told_weights(endpoints, &mut fakes);
    assert_eq!(
        weights(&mut endpoints),
        ["+i01*1", "+i02*1", "+i03*1", "+i04*1"]
    );
    let of = |n: usize| fakes[n - 1].clone();
    let (one, two) = (of(1), of(2));
    one.says(State::Down);
    assert!(endpoints.is_woken());
    // 1.4 of three of four is all that is needed, and three are the minimum.
    assert!(told(&mut endpoints).is_empty());
    two.says(State::Down);
    assert!(endpoints.is_woken());
    let mut fakes = fakes;
    let mut weights = |endpoints: &mut Spawn<_>| told_weights(endpoints, &mut fakes);
    // Two of the three it needs: six tenths for the two that are left, four for the other zone.
    let mut spilt = weights(&mut endpoints);
    spilt.sort();
    let expected = [
        "+i01*3000",
        "+i02*3000",
        "+i03*3000",
        "+i04*3000",
        "+i05*4000",
    ];
    assert_eq!(spilt, expected);
    // Being connected again is not having come back.
    for one in [&one, &two] {
        one.says(State::Connecting);
        assert!(told(&mut endpoints).is_empty());
    }
    one.says(State::Ready);
    let reweighed = told(&mut endpoints);
    assert!(!reweighed.contains(&"-i05".to_owned()), "not at once");
    tokio::time::sleep(TEN).await;
    let back = told(&mut endpoints);
    assert_eq!(back.len(), 5, "{back:?}");
    assert!(back.contains(&"-i05".to_owned()));
    two.says(State::Ready);
    assert!(told(&mut endpoints).is_empty());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_changes_below_a_chain_end_in_the_right_set() {
    let (say, script) = scripted();
    let chain = script
        .only(|one| one.port() % 3 != 0)
        .prefer_zone(Zones::new("here"));
    let mut changes = follow(chain);
    let dice = ziggurat_core::Dice::seeded(11);
    let mut oracle = BTreeMap::new();
    let mut seen = BTreeMap::new();
    say.send(all([])).unwrap();
    for n in 0..10_000 {
        let id = dice.below(99) as u16;
        if dice.below(2) == 0 {
            let moved = at(id, 1 + dice.below(9) as u16);
            let zone = if dice.below(3) == 0 { "there" } else { "here" };
            let moved = moved.with_zone(zone).unwrap();
            oracle.insert(id, moved.clone());
            say.send(put(moved)).unwrap();
        } else {
            oracle.remove(&id);
            say.send(remove(id)).unwrap();
        }
        if n % 7 == 0 {
            // A task that never waits is not given any more by channels.
            tokio::task::yield_now().await;
            apply(&mut changes, &mut seen);
        }
    }
    let passing = oracle.values().filter(|one| one.port() % 3 != 0);
    let here = passing.filter(|one| one.zone() == Some("here"));
    let expected: Vec<_> = here.map(|one| one.id().clone()).collect();
    tokio::time::sleep(TEN).await;
    apply(&mut changes, &mut seen);
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), expected);
}

/// Takes in what there is; each change must be one.
fn apply(changes: &mut Spawn<Changes>, seen: &mut BTreeMap<EndpointId, Arc<Instance>>) {
    while let Poll::Ready(Some(change)) = changes.poll_next() {
        match change.unwrap() {
            Change::All(all) => {
                *seen = all.into_iter().map(|one| (one.id().clone(), one)).collect();
            }
            Change::Put(one) => {
                let before = seen.insert(one.id().clone(), Arc::clone(&one));
                assert_ne!(before, Some(one), "no news");
            }
            Change::Remove(id) | Change::Left(id) => assert!(seen.remove(&id).is_some(), "no news"),
            other => panic!("{other:?}"),
        }
    }
}

/// As `told`, with weights for ports; keeps what came.
fn told_weights(
    endpoints: &mut Spawn<ziggurat_discover::Endpoints<Log>>,
    fakes: &mut Vec<Fake>,
) -> Vec<String> {
    use ziggurat_core::Endpoint;
    let told = crate::support::events(endpoints).into_iter();
    let told = told.map(|event| match event {
        discover::Change::Insert(id, fake) => {
            fakes.push(fake.get_ref().clone());
            format!("+{id}*{}", fake.weight())
        }
        discover::Change::Remove(id) => format!("-{id}"),
    });
    told.collect()
}
