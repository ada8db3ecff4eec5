use super::*;
use std::time::Duration;

#[test]
fn the_rules_of_gochat_mean_what_they_say() {
    let rules = RuleSet::gochat(OnUnknown::Closed);
    for (name, rate, burst) in GOCHAT {
        let found = rules.rate(name).unwrap();
        let per_second = f64::from(found.count()) / found.period().as_secs_f64();
        assert!((per_second - rate).abs() < 1e-6, "{name}: {found}");
        assert_eq!(found.at_once(), burst);
    }
    assert_eq!(rules.rate("of nobody"), None);
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_by_name() {
    for (rate, capacity, field) in [
        (0.0, 1, "rate"),
        (-1.0, 1, "rate"),
        (f64::NAN, 1, "rate"),
        (f64::INFINITY, 1, "rate"),
        (1e6 + 1.0, 1, "rate"),
        (f64::MIN_POSITIVE, 1, "rate"),
        (1e-7, 1, "rate"),
        (1.0, 0, "capacity"),
        (1.0, 1_000_001, "capacity"),
        (1.0, u32::MAX, "capacity"),
        (0.001, 1_000_000, "burst"),
    ] {
        let error = Rule::new(rate, capacity).to_rate().unwrap_err();
        assert_eq!(error.field(), field, "{error}");
    }
    for (rate, capacity) in [(1e6, 1_000_000), (0.1, 1), (1.0 / 2_592_000.0, 1)] {
        assert!(Rule::new(rate, capacity).to_rate().is_ok(), "{rate}");
    }
}

async fn eventually(rules: &RuleSet, name: &str, burst: Option<u32>) {
    let met = async {
        while rules.rate(name).map(|rate| rate.at_once()) != burst {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(10);
    let found = tokio::time::timeout(limit, met).await;
    assert!(found.is_ok(), "{name}: {:?}", rules.rate(name));
}

#[tokio::test]
async fn both_paths_are_followed_and_the_newer_of_two_counts() {
    let center = ConfigCenter::memory();
    let plain = "dev/im-gateway/ratelimit/login";
    let doubled = "config/dev/im-gateway/ratelimit/login";
    center.set(plain, &Rule::new(1.0, 2)).await.unwrap();
    center.set(doubled, &Rule::new(1.0, 3)).await.unwrap();
    let rules = RuleSet::gochat(OnUnknown::Closed);
    let rules = rules.follow(&center, "dev", "im-gateway").await.unwrap();
    // At once.
    assert_eq!(rules.rate("login").unwrap().at_once(), 3);

    center.set(plain, &Rule::new(1.0, 4)).await.unwrap();
    eventually(&rules, "login", Some(4)).await;
    center.delete(plain).await.unwrap();
    eventually(&rules, "login", Some(3)).await;
    // That of the code.
    center.delete(doubled).await.unwrap();
    eventually(&rules, "login", Some(10)).await;
    // Those of others are not ours.
    let other = "dev/im-gateway/ratelimit2/login";
    center.set(other, &Rule::new(1.0, 9)).await.unwrap();
    let new = "dev/im-gateway/ratelimit/new";
    center.set(new, &Rule::new(1.0, 5)).await.unwrap();
    eventually(&rules, "new", Some(5)).await;
    assert_eq!(rules.rate("login").unwrap().at_once(), 10);
}

#[tokio::test]
async fn a_bad_or_a_missing_rule_takes_no_limit_away() {
    let center = ConfigCenter::memory();
    let key = "dev/a/ratelimit/only-here";
    center.set(key, &Rule::new(1.0, 7)).await.unwrap();
    let rules = RuleSet::new(OnUnknown::Open);
    let rules = rules.follow(&center, "dev", "a").await.unwrap();
    for bad in [
        "",
        "{}",
        "{\"rate\":-1,\"capacity\":1}",
        "{\"rate\":1,\"capacity\":0}",
        "[",
    ] {
        let errors = rules.errors();
        center.set(key, bad).await.unwrap();
        while rules.errors() == errors {
            tokio::task::yield_now().await;
        }
        assert_eq!(rules.rate("only-here").unwrap().at_once(), 7, "{bad}");
    }
    center.delete(key).await.unwrap();
    let after = "dev/a/ratelimit/after";
    center.set(after, &Rule::new(1.0, 1)).await.unwrap();
    eventually(&rules, "after", Some(1)).await;
    assert_eq!(rules.rate("only-here").unwrap().at_once(), 7);
}

#[tokio::test]
async fn what_gochat_wrote_is_read() {
    let center = ConfigCenter::memory().layout(crate::coord::ConfigLayout::Gochat);
    let fixture = r#"{"rate":5,"capacity":11,"description":""}"#;
    let key = "/config/dev/im-gateway/ratelimit/login";
    center.set(key, fixture).await.unwrap();
    let rules = RuleSet::new(OnUnknown::Closed);
    let rules = rules.follow(&center, "dev", "im-gateway").await.unwrap();
    let rate = rules.rate("login").unwrap();
    assert_eq!((rate.count(), rate.at_once()), (5_000, 11));
}

#[tokio::test]
async fn a_path_that_leaves_its_place_is_refused() {
    let rules = RuleSet::new(OnUnknown::Closed);
    let refused = rules.follow(&ConfigCenter::memory(), "dev", "..").await;
    assert!(matches!(refused, Err(ConfigError::Store(_))));
}
