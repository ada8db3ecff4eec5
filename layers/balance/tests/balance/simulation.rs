//! Ten endpoints of which some do badly, under steady traffic, on a paused clock.

use crate::feed::{Node, found};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};
use tower::{Layer, ServiceExt};
use ziggurat_balance::BalanceLayer;
use ziggurat_core::{ByResult, CallOptions, Carry, Classify, Deadline, Dice, Record, Recorder};
use ziggurat_testkit::{Script, Step};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Good,
    Slow,
    FastFailing,
    Stalled,
}

#[derive(Debug, Default)]
struct Report {
    calls: usize,
    errors: usize,
    missed: usize,
    times: Vec<Duration>,
    shares: Vec<(Kind, f64)>,
}

const RATE: f64 = 1_000.0;
const WARM_UP: Duration = Duration::from_secs(5);
const LENGTH: Duration = Duration::from_secs(25);
const TIMEOUT: Duration = Duration::from_secs(1);

/// Reads results, and knows that every call has a second.
#[derive(Clone, Copy)]
pub(crate) struct WithDeadline;

impl Classify<u32> for WithDeadline {
    type Response<R: Record> = u32;

    fn observe<R: Record>(
        &self,
        result: Result<u32, ziggurat_core::BoxError>,
        recorder: Recorder<R>,
    ) -> Result<u32, ziggurat_core::BoxError> {
        ByResult.observe(result, recorder)
    }
}

impl Carry<CallOptions> for WithDeadline {
    fn deadline(&self, request: &CallOptions) -> Option<Deadline> {
        request.deadline
    }
}

/// A time around a median, as most services have it: lognormal.
fn lognormal(dice: &Dice, median: Duration) -> Duration {
    let (one, other) = (1.0 - dice.fraction(), dice.fraction());
    let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
    median.mul_f64((normal * 0.4).exp())
}

fn backend(kind: Kind, dice: &Dice) -> Script<CallOptions, u32> {
    let dice = dice.clone();
    Script::by(move |_, _| match kind {
        Kind::Good => Step::answer(1).after(lognormal(&dice, Duration::from_millis(10))),
        Kind::Slow => Step::answer(1).after(lognormal(&dice, Duration::from_millis(100))),
        Kind::FastFailing => Step::fail_with("no").after(Duration::from_micros(500)),
        Kind::Stalled => Step::never(),
    })
}

async fn simulate(kinds: &[Kind]) -> Report {
    let dice = Dice::seeded(42);
    let backends: Vec<_> = kinds.iter().map(|kind| backend(*kind, &dice)).collect();
    let nodes = backends.iter().enumerate();
    let nodes = nodes.map(|(n, script)| Node::new(&format!("e{n}"), script.clone()));
    let (_feeder, feed) = found(nodes);
    let service = BalanceLayer::p2c()
        .classify_with(WithDeadline)
        .dice(dice.clone())
        .layer(feed);
    let report = Arc::new(Mutex::new(Report::default()));
    let mut calls = JoinSet::new();
    let start = Instant::now();
    let mut next = start;
    let mut before = Vec::new();
    while start.elapsed() < LENGTH {
        if before.is_empty() && start.elapsed() >= WARM_UP {
            before = backends.iter().map(Script::calls).collect();
        }
        let counts = !before.is_empty();
        let (service, report) = (service.clone(), Arc::clone(&report));
        calls.spawn(async move {
            let began = Instant::now();
            let call = service.oneshot(CallOptions::new().timeout(TIMEOUT));
            let result = tokio::time::timeout(TIMEOUT, call).await;
            if !counts {
                return;
            }
            let mut report = report.lock().unwrap();
            report.calls += 1;
            match result {
                Ok(Ok(_)) => report.times.push(began.elapsed()),
                Ok(Err(_)) => report.errors += 1,
                Err(_) => report.missed += 1,
            }
        });
        next += Duration::from_secs_f64(-(1.0 - dice.fraction()).ln() / RATE);
        tokio::time::sleep_until(next).await;
    }
    calls.join_all().await;
    let mut report = std::mem::take(&mut *report.lock().unwrap());
    report.times.sort();
    let gone = backends
        .iter()
        .zip(&before)
        .map(|(script, before)| script.calls() - before);
    let shares = gone.map(|calls| calls as f64 / report.calls as f64);
    report.shares = kinds.iter().copied().zip(shares).collect();
    report
}

impl Report {
    fn show(&self, name: &str) {
        println!(
            "{name}: {} calls, {:.3} % errors, {:.3} % missed, p50 {:?}, p99 {:?}, bad {:?}",
            self.calls,
            self.percent(self.errors),
            self.percent(self.missed),
            self.quantile(0.5),
            self.quantile(0.99),
            self.shares
                .iter()
                .filter(|(kind, _)| *kind != Kind::Good)
                .collect::<Vec<_>>(),
        );
    }

    fn percent(&self, part: usize) -> f64 {
        100.0 * part as f64 / self.calls as f64
    }

    fn quantile(&self, quantile: f64) -> Duration {
        self.times[(self.times.len() as f64 * quantile) as usize]
    }

    fn share(&self, wanted: Kind) -> f64 {
        let of_kind = self.shares.iter().filter(|(kind, _)| *kind == wanted);
        of_kind.map(|(_, share)| share).sum()
    }
}

fn good(n: usize, others: &[Kind]) -> Vec<Kind> {
    [vec![Kind::Good; n], others.to_vec()].concat()
}

#[tokio::test(start_paused = true)]
async fn ten_good_endpoints_share_alike() {
    let report = simulate(&good(10, &[])).await;
    report.show("10 good");
    assert_eq!((report.errors, report.missed), (0, 0));
    for (_, share) in &report.shares {
        assert!((0.06..0.14).contains(share), "{:?}", report.shares);
    }
    assert!(report.quantile(0.99) < Duration::from_millis(40));
}

#[tokio::test(start_paused = true)]
async fn a_fast_failing_endpoint_is_left_alone() {
    let report = simulate(&good(9, &[Kind::FastFailing])).await;
    report.show("9 good, 1 fast-failing");
    assert!(report.percent(report.errors) <= 1.0);

    let report = simulate(&good(1, &[Kind::FastFailing])).await;
    report.show("1 good, 1 fast-failing");
    assert!(report.percent(report.errors) <= 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_endpoint_is_left_alone() {
    let report = simulate(&good(9, &[Kind::Stalled])).await;
    report.show("9 good, 1 stalled");
    assert!(report.percent(report.missed) <= 0.2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_gets_little() {
    let report = simulate(&good(9, &[Kind::Slow])).await;
    report.show("9 good, 1 slow");
    assert_eq!((report.errors, report.missed), (0, 0));
    assert!(report.share(Kind::Slow) <= 0.02);
}

#[tokio::test(start_paused = true)]
async fn seven_good_ones_hide_three_bad_ones() {
    let report = simulate(&good(7, &[Kind::Slow, Kind::FastFailing, Kind::Stalled])).await;
    report.show("7 good, slow, fast-failing, stalled");
    let served = report.times.len();
    assert!(
        report.percent(served) >= 99.5,
        "{:.3} % served",
        report.percent(served)
    );
    assert!(report.quantile(0.99) < Duration::from_millis(60));
}
