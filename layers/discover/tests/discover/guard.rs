//! What a guarded source says, and to whom.

use crate::support::{Log, Script, all, at, one, put, remove, told, watch};
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::time::advance;
use ziggurat_core::{Change, Resolve};
use ziggurat_discover::{DiscoverLayer, Guard, Guarded, Heard, Stale};

const GRACE: Duration = Duration::from_secs(10);

fn left(n: u16) -> Result<Change, ziggurat_core::BoxError> {
    Ok(Change::Left(one(n).id().clone()))
}

/// All that is to be heard now, as text.
fn heard(guarded: &mut Guarded) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(item) = guarded.next().now_or_never() {
        heard.push(match item.expect("it does not end") {
            Heard::Change(Change::All(all)) => format!("={}", all.len()),
            Heard::Change(Change::Put(one)) => format!("+{}:{}", one.id(), one.port()),
            Heard::Change(Change::Left(id)) => format!("-{id}"),
            Heard::Stale(Stale::Shrunk { named, held }) => format!("stale {named}+{held}"),
            Heard::Stale(Stale::Trouble(error)) => format!("!{error}"),
            Heard::Fresh => "fresh".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn an_emptied_set_is_stale_for_the_grace_period_and_then_gone() {
    let script = Script::default();
    let say = script.stream();
    let mut echo = Guard::new(script).watch("echo");
    assert_eq!((heard(&mut echo), echo.is_stale()), (vec![], false));
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(heard(&mut echo), ["=2"]);
    say.send(remove(1)).unwrap();
    assert_eq!(heard(&mut echo), ["-i01"]);
    say.send(remove(2)).unwrap();
    assert_eq!(heard(&mut echo), ["stale 0+1"]);
    assert_eq!((echo.is_stale(), echo.instances().count()), (true, 1));
    advance(GRACE - Duration::from_millis(2)).await;
    assert_eq!(heard(&mut echo), [""; 0]);
    advance(Duration::from_millis(3)).await;
    assert_eq!(heard(&mut echo), ["-i02", "fresh"]);
    assert_eq!((echo.is_stale(), echo.instances().count()), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn those_who_come_back_in_time_never_left() {
    let script = Script::default();
    let say = script.stream();
    let mut echo = Guard::new(script).grace(GRACE / 2).watch("echo");
    say.send(all((0..10).map(one))).unwrap();
    heard(&mut echo);
    say.send(all([one(0), at(1, 9)])).unwrap();
    assert_eq!(heard(&mut echo), ["+i01:9", "stale 2+8"]);
    say.send(all((0..9).map(one))).unwrap();
    assert_eq!(heard(&mut echo), ["+i01:2", "-i09", "fresh"]);
    advance(GRACE).await;
    assert_eq!(heard(&mut echo), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_goodbye_is_gone_at_once() {
    let script = Script::default();
    let say = script.stream();
    let mut echo = Guard::new(script).watch("echo");
    say.send(all((0..10).map(one))).unwrap();
    heard(&mut echo);
    for n in 0..10 {
        say.send(left(n)).unwrap();
    }
    assert_eq!(heard(&mut echo).len(), 10);
    assert_eq!((echo.is_stale(), echo.instances().count()), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn trouble_is_a_mark_that_the_next_word_takes_away() {
    let script = Script::default();
    let say = script.stream();
    let mut echo = Guard::new(script).watch("echo");
    say.send(all([one(1)])).unwrap();
    heard(&mut echo);
    say.send(Err("away".into())).unwrap();
    assert_eq!(heard(&mut echo), ["!away"]);
    assert!(echo.is_stale());
    say.send(Ok(Change::Current)).unwrap();
    assert_eq!(heard(&mut echo), ["fresh"]);
    say.send(Err("away".into())).unwrap();
    say.send(put(one(2))).unwrap();
    assert_eq!(heard(&mut echo), ["!away", "+i02:3", "fresh"]);
    drop(say);
    assert!(echo.next().await.is_none());
    assert!(
        echo.next().await.is_none(),
        "its source is not polled again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_under_the_layer_does_not_hold_twice() {
    let script = Script::default();
    let say = script.stream();
    let layer = DiscoverLayer::new(Guard::new(script), "echo");
    let mut endpoints = watch(&layer, Log::default());
    say.send(all((0..5).map(one))).unwrap();
    assert_eq!(told(&mut endpoints).len(), 5);
    say.send(all([])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    advance(GRACE + Duration::from_millis(1)).await;
    assert_eq!(told(&mut endpoints).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_layer_lets_go_at_once_of_whoever_says_goodbye() {
    let script = Script::default();
    let say = script.stream();
    let layer = DiscoverLayer::new(script, "echo");
    let mut endpoints = watch(&layer, Log::default());
    say.send(all([one(1)])).unwrap();
    assert_eq!(told(&mut endpoints).len(), 1);
    say.send(left(1)).unwrap();
    assert_eq!(told(&mut endpoints), ["-i01"]);
}

#[tokio::test(start_paused = true)]
async fn as_a_source_it_tells_trouble_and_no_marks() {
    let script = Script::default();
    let say = script.stream();
    let mut changes = Guard::new(script).resolve("echo");
    say.send(all([one(1)])).unwrap();
    assert!(matches!(changes.next().await, Some(Ok(Change::All(all))) if all.len() == 1));
    say.send(all([])).unwrap();
    assert!(changes.next().now_or_never().is_none());
    say.send(Err("away".into())).unwrap();
    assert!(matches!(changes.next().await, Some(Err(_))));
}
