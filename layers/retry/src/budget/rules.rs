//! What a budget allows.

use std::fmt;
use ziggurat_core::InvalidSetting;

/// What a [`Budget`](crate::Budget) allows.
///
/// # Defaults
///
/// [`ratio(0.2, 10)`](Self::ratio), and no bound on what is [in flight](Self::in_flight).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    pub(super) earning: Earning,
    pub(super) in_flight: Option<Share>,
}

/// How further attempts are earned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Earning {
    Income(Income),
    Tokens(Tokens),
}

/// What is earned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Income {
    /// Retries that each call earns.
    pub(super) per_call: f64,
    /// Retries that each second earns, saved for ten seconds.
    pub(super) per_second: f64,
}

/// The parameters of `retryThrottling`, in thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) max: u32,
    pub(super) ratio: u32,
}

/// How many of what is in flight may be further attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) at_least: u32,
    pub(super) of_calls: f64,
}

/// No call earns more than it can use.
const MOST_PER_CALL: f64 = 4.0;
/// Ten seconds of it are what the budget can hold.
const MOST_PER_SECOND: u32 = 5_000;
const MOST_TOKENS: u32 = 1_000;
/// gRFC A6 keeps three decimals.
pub(super) const TOKEN: u32 = 1_000;

// === impl Rules ===

impl Default for Rules {
    fn default() -> Self {
        Self::by(Earning::Income(Income {
            per_call: 0.2,
            per_second: 10.0,
        }))
    }
}

impl Rules {
    /// So many further attempts for every call, and so many for every second. Ten seconds' worth of
    /// each is saved (after Finagle's `RetryBudget`).
    ///
    /// # Errors
    ///
    /// If `per_call` is not from 0 to 4, or `per_second` above 5000.
    pub fn ratio(per_call: f64, per_second: u32) -> Result<Self, InvalidSetting> {
        if !(0.0..=MOST_PER_CALL).contains(&per_call) {
            let rule = "must be from 0 to 4";
            return Err(invalid("per_call", per_call, rule));
        }
        if per_second > MOST_PER_SECOND {
            let rule = "must be at most 5000";
            return Err(invalid("per_second", per_second, rule));
        }
        Ok(Self::by(Earning::Income(Income {
            per_call,
            per_second: f64::from(per_second),
        })))
    }

    /// gRPC's `retryThrottling` (gRFC A6): a failure that would be tried again, or after which the
    /// server wants no other try, costs one token, a success brings `token_ratio` of one, up to
    /// `max_tokens`. No further attempt is made while half of them or less are left.
    ///
    /// As in grpc-go, the failure of the last attempt costs a token, too. gRPC's answers whose headers
    /// have come are successes, whatever their trailers say: they are not tried again either. So has
    /// grpc-java; grpc-go and grpc-core wait for an OK in the trailers, for which every answer would
    /// have to be another body here. A server that only ever fails after its headers therefore stops
    /// no retries of calls that fail before. An answer that is not gRPC's, as a proxy makes, brings
    /// nothing, and costs one where it would be tried again.
    ///
    /// # Errors
    ///
    /// If `max_tokens` is not from 1 to 1000, or `token_ratio` not from 0.001 to 1000. Decimals after
    /// the third are ignored.
    pub fn throttling(max_tokens: u32, token_ratio: f64) -> Result<Self, InvalidSetting> {
        if !(1..=MOST_TOKENS).contains(&max_tokens) {
            return Err(invalid("max_tokens", max_tokens, "must be from 1 to 1000"));
        }
        if !(0.001..=f64::from(MOST_TOKENS)).contains(&token_ratio) {
            let rule = "must be from 0.001 to 1000";
            return Err(invalid("token_ratio", token_ratio, rule));
        }
        // What is written as 0.29 is a little less than that.
        let ratio = (token_ratio * f64::from(TOKEN) + 1e-6) as u32;
        let max = max_tokens * TOKEN;
        Ok(Self::by(Earning::Tokens(Tokens { max, ratio })))
    }

    /// Bounds what is in flight as well: so many further attempts at a time, or this share of the
    /// calls in flight if that is more (after Envoy's `retry_budget`: 3, and 0.2). Those that wait for
    /// their backoff count. Costs every call two atomic additions.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 4.
    pub fn in_flight(mut self, at_least: u32, of_calls: f64) -> Result<Self, InvalidSetting> {
        if !(0.0..=MOST_PER_CALL).contains(&of_calls) {
            return Err(invalid("in_flight", of_calls, "must be from 0 to 4"));
        }
        self.in_flight = Some(Share { at_least, of_calls });
        Ok(self)
    }

    const fn by(earning: Earning) -> Self {
        Self {
            earning,
            in_flight: None,
        }
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("retry budget", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused = |rules: Result<Rules, InvalidSetting>| rules.unwrap_err().to_string();
        for per_call in [-0.1, 4.1, f64::NAN, f64::INFINITY] {
            assert!(refused(Rules::ratio(per_call, 10)).contains("per_call"));
            assert!(refused(Rules::default().in_flight(3, per_call)).contains("in_flight"));
        }
        assert!(refused(Rules::ratio(0.2, 5_001)).contains("per_second"));
        for max in [0, 1_001] {
            assert!(refused(Rules::throttling(max, 0.1)).contains("max_tokens"));
        }
        for ratio in [0.0, 0.000_9, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refused(Rules::throttling(10, ratio)).contains("token_ratio"));
        }
    }

    #[test]
    fn a_token_ratio_has_three_decimals() {
        for (ratio, kept) in [
            (0.1, 100),
            (0.29, 290),
            (0.546_6, 546),
            (0.001, 1),
            (2.0, 2_000),
        ] {
            let max = 10 * TOKEN;
            let tokens = Earning::Tokens(Tokens { max, ratio: kept });
            assert_eq!(Rules::throttling(10, ratio).unwrap().earning, tokens);
        }
    }
}
