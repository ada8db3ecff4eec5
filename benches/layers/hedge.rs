//! Hedges that are not fired: the first attempt answers long before one is due.

use std::time::Duration;
use tower::{
    BoxError, Layer,
    hedge::{Hedge, Policy},
    util::MapErr,
};
use tower_resilience_hedge::HedgeLayer as Resilient;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, Noop, PendsOnce};
use ziggurat_core::ByResult;
use ziggurat_retry::{
    Methods,
    hedge::{Delay, HedgeLayer, Settings},
};

/// Hedges every request; tower leaves that to its users.
#[derive(Clone)]
struct All;

const DELAY: Duration = Duration::from_secs(1);

// === impl All ===

impl Policy<u64> for All {
    fn clone_request(&self, request: &u64) -> Option<u64> {
        Some(*request)
    }

    fn can_retry(&self, _: &u64) -> bool {
        true
    }
}

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("hedge", "")
        .service("floor", || Noop)
        .service("ziggurat", || values(fixed()).layer(Noop))
        .service("ziggurat, p95", || values(measured()).layer(Noop))
        .alone("tower", || tower(Noop))
        .service("tower-resilience", || resilient().layer(cloned(Noop)));

    board
        .section::<u64>("hedge", "pends")
        .service("floor", || PendsOnce(Noop))
        .service("ziggurat", || values(fixed()).layer(PendsOnce(Noop)))
        .service("ziggurat, p95", || {
            values(measured()).layer(PendsOnce(Noop))
        })
        .alone("tower", || tower(PendsOnce(Noop)))
        .service("tower-resilience", || {
            resilient().layer(cloned(PendsOnce(Noop)))
        });

    // The peers cannot clone a request with a body, or want an error that is cloned.
    board
        .section::<HttpRequest>("hedge", "http")
        .service("floor", || HttpNoop)
        .service("ziggurat", || HedgeLayer::new(fixed()).layer(HttpNoop))
        .service("ziggurat, by method", || {
            let layer = HedgeLayer::new(Settings::off()).by_method(methods());
            layer.layer(HttpNoop)
        });
}

fn values(settings: Settings) -> HedgeLayer<ByResult> {
    HedgeLayer::values(settings)
}

fn fixed() -> Settings {
    let settings = Settings::new().delay(Delay::Fixed(DELAY));
    settings.expect("any delay will do").any_call(true)
}

/// Thirty methods, and what holds for all others.
fn methods() -> Methods<Settings> {
    let named = (0..30).try_fold(Methods::new(), |methods, number| {
        methods.on(&format!("/users.v1.Users/Method{number}"), fixed())
    });
    named
        .expect("these are names, each given once")
        .otherwise(fixed())
}

fn measured() -> Settings {
    let measured = Delay::Measured {
        percent: 95,
        min: DELAY,
        max: DELAY,
    };
    let settings = Settings::new().delay(measured);
    settings.expect("95 percent, and min is max").any_call(true)
}

fn resilient() -> Resilient {
    Resilient::new(DELAY)
}

/// It wants errors that can be cloned.
fn cloned<S>(service: S) -> MapErr<S, fn(BoxError) -> &'static str> {
    MapErr::new(service, |_| "failed")
}

/// Needs ten calls before it hedges any.
fn tower<S>(service: S) -> Hedge<S, All>
where
    S: tower::Service<u64, Error: Into<BoxError>> + Clone,
{
    let slow = [1_000; 100];
    Hedge::new_with_mock_latencies(service, All, 10, 0.95, 10 * DELAY, &slow)
}
