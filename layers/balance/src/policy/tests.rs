//! What a pick looks at, whatever the policy.

use super::{LeastRequest, P2c, Policy, RingHash, RoundRobin, candidate::LOOKS, field::Field};
use ziggurat_core::{Dice, State};

const PICKS: usize = 2_000;

/// How many endpoints a pick looks at on average, when every `nth` is down.
fn looks<P: Policy<()>>(policy: P, endpoints: usize, nth: usize) -> f64 {
    let field = Field::of(policy, &vec![1; endpoints]);
    for down in (0..endpoints).filter(|n| n % nth == nth - 1) {
        field.report(down, State::Down);
    }
    LOOKS.set(0);
    let picked = field.picks(PICKS, None, false);
    assert!(picked.iter().all(Option::is_some));
    LOOKS.get() as f64 / PICKS as f64
}

fn all_policies(endpoints: usize, nth: usize) -> [f64; 4] {
    let dice = || Dice::seeded(endpoints as u64);
    [
        looks(P2c::new(dice()), endpoints, nth),
        looks(LeastRequest::new().dice(dice()), endpoints, nth),
        looks(RoundRobin::weighted().dice(dice()), endpoints, nth),
        looks(RingHash::new().dice(dice()), endpoints, nth),
    ]
}

/// One pick in a thousand that walked over all would show.
#[test]
fn a_pick_looks_at_two_endpoints_or_a_few_more_however_many_there_are() {
    for endpoints in [2, 10, 100, 1_000, 5_000] {
        for looks in all_policies(endpoints, usize::MAX) {
            assert!(looks <= 3.0, "{looks} of {endpoints}");
        }
    }
    for endpoints in [10, 100, 1_000, 5_000] {
        for looks in all_policies(endpoints, 10) {
            assert!(looks <= 4.0, "{looks} of {endpoints}, some down");
        }
    }
}
