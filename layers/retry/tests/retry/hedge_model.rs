//! Hedging against a slow and obvious model of gRFC A6: what is answered, when, after how many
//! attempts.

use crate::kit::*;
use std::{num::NonZeroU32, time::Duration};
use tower::Layer;
use ziggurat_core::Dice;
use ziggurat_retry::{
    RetryLayer, Settings as Retrying,
    hedge::{Delay, HedgeLayer, Settings},
};
use ziggurat_testkit::{HttpScript, Step, tonic::Code};

/// What becomes of one attempt, and after how many milliseconds.
#[derive(Clone, Copy, Debug)]
struct Act {
    latency: u32,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Fine,
    Fatal,
    /// With a pushback in milliseconds, which may be negative.
    Unavailable(Option<i32>),
}

#[derive(Clone, Debug)]
struct Script {
    attempts: u32,
    delay: u32,
    acts: [Act; 5],
}

/// Which attempt's end was the answer, at what millisecond, and how many were made.
type Seen = (usize, u32, usize);

fn draw(dice: &Dice) -> Script {
    let below = |bound| dice.below(bound) as u32;
    let act = |_| Act {
        latency: below(40),
        end: match dice.below(8) {
            0..=1 => End::Fine,
            2 => End::Fatal,
            3 => End::Unavailable(Some(-1)),
            4 => End::Unavailable(Some(below(30) as i32)),
            _ => End::Unavailable(None),
        },
    };
    Script {
        attempts: 2 + below(4),
        delay: below(3) * below(15),
        acts: [0; 5].map(act),
    }
}

/// Looks at every millisecond.
fn model(script: &Script) -> Seen {
    let Script {
        attempts,
        delay,
        acts,
    } = script;
    let mut ends = vec![Some(acts[0].latency)];
    let mut next = Some(*delay);
    let mut open = true;
    let mut last = 0;
    for now in 0_u32.. {
        loop {
            let due: Vec<_> = (0..ends.len())
                .filter(|lane| ends[*lane].is_some_and(|end| end <= now))
                .collect();
            for wanted in [End::Fine, End::Fatal] {
                if let Some(lane) = due.iter().find(|lane| acts[**lane].end == wanted) {
                    return (*lane, now, ends.len());
                }
            }
            for lane in due {
                ends[lane] = None;
                last = lane;
                match acts[lane].end {
                    End::Unavailable(Some(wait)) if wait < 0 => open = false,
                    End::Unavailable(Some(wait)) => next = Some(now + wait as u32),
                    _ => next = Some(now),
                }
            }
            let more = open && ends.len() < *attempts as usize;
            if more && next.is_some_and(|next| next <= now) {
                ends.push(Some(now + acts[ends.len()].latency));
                next = Some(now + delay);
                continue;
            }
            if !more && ends.iter().all(Option::is_none) {
                return (last, now, ends.len());
            }
            break;
        }
    }
    unreachable!()
}

async fn real(script: &Script) -> Seen {
    let acts = script.acts;
    let inner = HttpScript::by(move |number, _| {
        let Act { latency, end } = acts[number];
        let step = match end {
            End::Fine => Step::grpc("fine"),
            End::Fatal => Step::trailers_only(Code::Internal),
            End::Unavailable(None) => Step::trailers_only(Code::Unavailable),
            End::Unavailable(Some(wait)) => Step::trailers_only(Code::Unavailable)
                .header("grpc-retry-pushback-ms", &wait.to_string()),
        };
        let lane = number.to_string();
        step.header("x-lane", &lane).after(latency * MS)
    });
    let retry = RetryLayer::new(Retrying::new().budget(4.0, 5_000).unwrap());
    let settings = Settings::new()
        .attempts(NonZeroU32::new(script.attempts).unwrap())
        .delay(Delay::Fixed(Duration::from_millis(script.delay.into())))
        .unwrap();
    let service = HedgeLayer::over(retry, settings).layer(inner.clone());
    let (response, took) = timed(service, idempotent()).await;
    let lane = response.unwrap().headers()["x-lane"]
        .to_str()
        .unwrap()
        .parse();
    (lane.unwrap(), took.as_millis() as u32, inner.calls())
}

#[tokio::test(start_paused = true)]
async fn it_does_what_the_specification_says() {
    let seed = std::env::var("ZIGGURAT_SEED").ok();
    let seed = seed.map_or(0xA6, |seed| seed.parse().unwrap());
    let dice = Dice::seeded(seed);
    for number in 0..5_000 {
        let script = draw(&dice);
        let (expected, seen) = (model(&script), real(&script).await);
        assert_eq!(seen, expected, "seed {seed}, script {number}: {script:?}");
    }
}
