//! What ours must reach.

use super::{
    report::Row,
    scenario::{
        DEPLOY, FAST_FAILING, FAST_FAILING_OF_TWO, HALF_SLOW, STALLED, TEN_GOOD, THREE_BAD,
        ZONE_DIES, ZONE_SMALL, ZONES,
    },
    subject::Subject,
};

/// Of the rows of one seed: the bounds that they break, each with what it should be.
pub(crate) fn broken(rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    for ours in rows
        .iter()
        .filter(|row| row.subject == Subject::Ziggurat.name())
    {
        let of_oracle = |row: &&Row| row.scenario == ours.scenario && row.subject == "oracle";
        let oracle = rows
            .iter()
            .find(of_oracle)
            .map_or(f64::NAN, |row| row.p99_ms);
        let mut check = |what: &str, is: f64, most: f64| {
            if is.is_nan() || is > most {
                broken.push(format!("{}: {what} {is:.5}, not {most:.5}", ours.scenario));
            }
        };
        match ours.scenario {
            TEN_GOOD => check("p99 ms", ours.p99_ms, oracle * 1.05),
            FAST_FAILING => check("errors", ours.errors, 0.01),
            FAST_FAILING_OF_TWO => check("errors", ours.errors, 0.05),
            STALLED => check("misses", ours.misses, 0.0005),
            THREE_BAD => {
                check("failures", 1.0 - ours.success, 0.001);
                check("p99 ms", ours.p99_ms, oracle * 1.15);
            }
            HALF_SLOW => check("share of the slow half", ours.share_bad, 0.3),
            DEPLOY => {
                check("failures", 1.0 - ours.success, 0.0);
                check("the most for one", ours.most, 2.0);
            }
            ZONES => {
                check("failures", 1.0 - ours.success, 0.0);
                check("share of other zones", ours.share_bad, 0.0);
            }
            // Away for 18 s of 60, and then for the 10 s that it has to be well.
            ZONE_DIES => {
                check("failures", 1.0 - ours.success, 0.0);
                check("share of other zones", ours.share_bad, 0.5);
            }
            // Four tenths of the calls: it has two of the three that it needs.
            ZONE_SMALL => {
                check("failures", 1.0 - ours.success, 0.0);
                check("share of other zones", ours.share_bad, 0.45);
            }
            _ => {}
        }
    }
    for row in rows
        .iter()
        .filter(|row| row.subject == Subject::ZigguratRetry.name())
    {
        if row.success < 1.0 {
            let lost = 1.0 - row.success;
            broken.push(format!(
                "{}: with retries {lost:.5} fail, not 0",
                row.scenario
            ));
        }
    }
    broken
}

pub(crate) fn verdict(broken: &[String], quick: bool) -> String {
    match broken {
        [] => "Every bound is met.".to_owned(),
        _ if quick => format!("In so short a run not met:\n  {}", broken.join("\n  ")),
        _ => format!("NOT MET:\n  {}", broken.join("\n  ")),
    }
}
