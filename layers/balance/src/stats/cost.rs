//! What a call costs, and what a failure weighs.

use crate::{
    estimate::{Decay, Estimate, Tick},
    settings::Weighing,
};

/// The latency to expect, failures included, in nanoseconds: of two `Estimate`s.
#[inline]
pub(super) fn cost(latency: u64, failure: u64, now: u64, weighing: &Weighing) -> f64 {
    let tick = Tick::at(now);
    let at = |word| match Estimate::unpack(word) {
        Some(estimate) => estimate.at(tick, weighing.decay),
        None => 0.0,
    };
    f64::from(at(latency) + at(failure) * weighing.penalty)
}

/// Is nothing known any more that calls could be shared out by? Of two `Estimate`s.
///
/// Time makes all that is known small, and however many calls are pending is a multiple of that: who
/// was not heard of for long would look idle.
#[inline]
pub(super) fn is_faded(latency: u64, failure: u64, now: u64, decay: Decay) -> bool {
    // A twentieth is left.
    const CONSTANTS: f32 = 3.0;
    let tick = Tick::at(now);
    let faded = |word| match Estimate::unpack(word) {
        Some(estimate) => decay.is_past(tick.since(estimate.tick()), CONSTANTS),
        None => true,
    };
    faded(latency) && faded(failure)
}

/// What a failure after so many others weighs at least: the fifth in a row leaves little hope, long
/// before time alone would tell.
pub(super) fn in_a_row(failures: u32) -> f32 {
    const FIRST: f32 = 0.002;
    const FACTOR: f32 = 4.0;
    // Capped where the sum has long reached 1.
    let power = i32::try_from(failures.min(8)).unwrap_or(8);
    FIRST * FACTOR.powi(power)
}
