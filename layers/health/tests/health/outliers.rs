//! Endpoints compared with each other, as gRFC A50 has it.

use crate::bench::{Connector, Watched, answers, connect, fail, pass, state, succeed};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::Layer;
use ziggurat_core::{ByResult, Dice, EndpointId, Live, State};
use ziggurat_health::{Detection, FailurePercentage, HealthLayer, Observer, Settings, SuccessRate};

const OUT: State = State::Ejected;

/// What gRPC does, but that half of them may be out.
fn settings() -> Settings {
    Settings::grpc().max_ejected_percent(50).unwrap()
}

fn by_rate(rate: SuccessRate) -> Settings {
    settings().success_rate(Some(rate)).failure_percentage(None)
}

fn by_percentage(percentage: FailurePercentage) -> Settings {
    settings()
        .success_rate(None)
        .failure_percentage(Some(percentage))
}

async fn endpoints(count: usize, layer: HealthLayer) -> Vec<Watched> {
    let connector = layer
        .classify_with(ByResult)
        .dice(Dice::seeded(1))
        .layer(Connector(answers()));
    let mut all = Vec::new();
    for n in 0..count {
        all.push(connect(&connector, "users", &format!("e{n}")).await);
    }
    all
}

/// So many of 100 calls fail, and no five in a row if it is up to 80.
async fn of_100(endpoint: &Watched, failures: usize) {
    for n in 0..100 {
        let before = n * failures / 100;
        if (n + 1) * failures / 100 > before {
            fail(endpoint, 1).await;
        } else {
            succeed(endpoint).await;
        }
    }
}

async fn round(all: &[Watched], failures: &[usize]) {
    for (endpoint, failures) in all.iter().zip(failures) {
        of_100(endpoint, *failures).await;
    }
}

fn out(all: &[Watched]) -> Vec<usize> {
    let indices = 0..all.len();
    indices.filter(|n| state(&all[*n]) == OUT).collect()
}

#[tokio::test(start_paused = true)]
async fn who_succeeds_far_less_often_than_the_others_goes_when_the_interval_is_over() {
    let all = endpoints(5, HealthLayer::new(by_rate(SuccessRate::new()))).await;
    // Mean 0.9 and deviation 0.2 require 0.52: see the test of the numbers.
    round(&all, &[0, 0, 0, 0, 50]).await;
    pass(9).await;
    assert_eq!(out(&all), [0; 0]);
    pass(2).await;
    assert_eq!(out(&all), [4]);
}

#[tokio::test(start_paused = true)]
async fn who_fails_like_everybody_stays() {
    let all = endpoints(5, HealthLayer::new(by_rate(SuccessRate::new()))).await;
    for _ in 0..5 {
        round(&all, &[50; 5]).await;
        pass(10).await;
        assert_eq!(out(&all), [0; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_fails_too_large_a_part_goes() {
    let percentage = FailurePercentage::new().threshold(60).unwrap();
    let all = endpoints(5, HealthLayer::new(by_percentage(percentage))).await;
    round(&all, &[60, 61, 0, 0, 0]).await;
    pass(11).await;
    assert_eq!(out(&all), [1]);
}

#[tokio::test(start_paused = true)]
async fn each_interval_counts_for_itself() {
    let percentage = FailurePercentage::new().request_volume(101);
    let all = endpoints(5, HealthLayer::new(by_percentage(percentage))).await;
    for _ in 0..3 {
        round(&all, &[100; 5]).await;
        pass(11).await;
        assert_eq!(out(&all), [0; 0], "100 calls each time");
    }
}

#[tokio::test(start_paused = true)]
async fn the_share_of_the_ejected_has_a_ceiling_and_one_may_always_go() {
    for (percent, most) in [(0, 1), (10, 1), (40, 4), (100, 10)] {
        let settings = by_percentage(FailurePercentage::new())
            .max_ejected_percent(percent)
            .unwrap();
        let all = endpoints(10, HealthLayer::new(settings)).await;
        round(&all, &[100; 10]).await;
        pass(11).await;
        assert_eq!(out(&all).len(), most, "{percent} %");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_grows_with_each_ejection_in_a_row_and_is_forgotten_by_the_interval() {
    let settings = by_percentage(FailurePercentage::new());
    let all = endpoints(5, HealthLayer::new(settings)).await;
    // 30 s, then 60 s, each give or take a fifth, each found out after 10 s.
    for (seconds, still) in [(30, 24), (60, 48)] {
        of_100(&all[0], 100).await;
        round(&all[1..], &[0; 4]).await;
        pass(10).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(out(&all), [0]);
        pass(still - 1).await;
        assert_eq!(out(&all), [0], "{seconds} s give or take a fifth");
        pass(2 + 2 * (seconds - still)).await;
        assert_eq!(out(&all), [0; 0]);
        succeed(&all[0]).await;
    }
    // Two intervals without an ejection take both off: 30 s once more.
    pass(21).await;
    of_100(&all[0], 100).await;
    round(&all[1..], &[0; 4]).await;
    pass(10).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(out(&all), [0]);
    pass(37).await;
    assert_eq!(out(&all), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_live_setting_begins_and_ends_the_comparison() {
    let off = Settings::grpc().success_rate(None).failure_percentage(None);
    let (setter, live) = Live::channel(off);
    let all = endpoints(5, HealthLayer::new(live)).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    round(&all, &[100, 0, 0, 0, 0]).await;
    assert_eq!(metrics.num_alive_tasks(), 0, "nobody would look");
    setter.set(by_percentage(FailurePercentage::new()));
    round(&all, &[100, 0, 0, 0, 0]).await;
    setter.set(off);
    pass(11).await;
    assert_eq!(out(&all), [0; 0]);
    assert_eq!(metrics.num_alive_tasks(), 0);
    setter.set(by_percentage(FailurePercentage::new()));
    round(&all, &[100, 0, 0, 0, 0]).await;
    pass(11).await;
    assert_eq!(out(&all), [0]);
    setter.set(off);
    pass(11).await;
    assert_eq!(
        out(&all),
        [0; 0],
        "before its time, as nobody is ejected any more"
    );
    assert_eq!(metrics.num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_compares_ends_with_the_endpoints() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let all = endpoints(5, HealthLayer::new(settings())).await;
    assert_eq!(metrics.num_alive_tasks(), 1, "one for all of them");
    drop(all);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(metrics.num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn chance_lets_stay_whom_the_enforcement_percentage_spares() {
    #[derive(Clone, Default)]
    struct Pardons(Arc<Mutex<Vec<String>>>);
    impl Observer for Pardons {
        fn pardoned(&self, service: &str, endpoint: &EndpointId, detection: Detection) {
            let pardon = format!("{service}/{endpoint} {detection:?}");
            self.0.lock().unwrap().push(pardon);
        }
    }

    let never = FailurePercentage::new().enforcement_percentage(0).unwrap();
    let pardons = Pardons::default();
    let layer = HealthLayer::new(by_percentage(never)).observe_with(pardons.clone());
    let all = endpoints(5, layer).await;
    round(&all, &[100, 0, 0, 0, 0]).await;
    pass(11).await;
    assert_eq!(out(&all), [0; 0]);
    assert_eq!(*pardons.0.lock().unwrap(), ["users/e0 FailurePercentage"]);

    let half = FailurePercentage::new().enforcement_percentage(50).unwrap();
    let settings = by_percentage(half).max_ejected_percent(100).unwrap();
    let all = endpoints(100, HealthLayer::new(settings)).await;
    round(&all, &[100; 100]).await;
    pass(11).await;
    // 50, give or take four standard deviations.
    assert!((30..=70).contains(&out(&all).len()), "{:?}", out(&all));
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_before_an_ejection_is_forgotten_when_it_is_over() {
    let percentage = FailurePercentage::new().minimum_hosts(1);
    let settings = by_percentage(percentage).failures(60);
    let second = Duration::from_secs(1);
    let settings = settings.ejection(15 * second, 15 * second).unwrap();
    let all = endpoints(2, HealthLayer::new(settings)).await;
    fail(&all[0], 60).await;
    assert_eq!(out(&all), [0], "in a row, in the middle of an interval");
    pass(18).await;
    assert_eq!(out(&all), [0; 0]);
    succeed(&all[0]).await;
    pass(11).await;
    assert_eq!(out(&all), [0; 0], "the 60 failures were those of long ago");
}

/// The one that the endpoints were made in looked at them.
#[test]
fn who_is_an_outlier_is_found_in_a_later_runtime_too() {
    let runtime = || {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let layer = HealthLayer::new(by_percentage(FailurePercentage::new()));
    let all = runtime().block_on(endpoints(5, layer));
    runtime().block_on(async {
        round(&all, &[100, 0, 0, 0, 0]).await;
        pass(11).await;
        assert_eq!(out(&all), [0]);
    });
}
