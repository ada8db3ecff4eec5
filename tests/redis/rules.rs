//! Rates by name, that change while calls run.

use super::support::*;
use ziggurat::{
    coord::ConfigCenter,
    quota::{OnUnknown, RedisLimitLayer, Rule, RuleSet, UnknownRule},
};
use ziggurat_testkit::RedisServer;

#[tokio::test]
async fn a_rule_that_changes_is_in_force_though_the_key_was_used_up() {
    let server = RedisServer::start().await;
    let center = ConfigCenter::memory();
    // As gochat's writers put it.
    let key = "/config/config/dev/im-gateway/ratelimit/login";
    center.set(key, &Rule::new(0.001, 2)).await.unwrap();
    let rules = RuleSet::gochat(OnUnknown::Closed);
    let rules = rules.follow(&center, "dev", "im-gateway").await.unwrap();
    let quota = patient(&server).gochat("im-gateway").unwrap();
    let limiter =
        |rule| layered(RedisLimitLayer::by_rule(&quota, &rules, rule, by_itself).unwrap());
    let login = limiter("login");
    assert_eq!(admitted(&login, "a", 10).await, 2);
    center.set(key, &Rule::new(1_000.0, 1_000)).await.unwrap();
    eventually("the new rule", async || call(&login, "a").await.is_ok()).await;
}

#[tokio::test]
async fn what_nobody_knows_is_open_or_closed_as_it_was_said() {
    let server = RedisServer::start().await;
    for unknown in [OnUnknown::Open, OnUnknown::Closed] {
        let told = Told::default();
        let quota = patient(&server).observe_with(told.clone());
        let rules = RuleSet::new(unknown)
            .rule("known", Rule::new(0.001, 1))
            .unwrap();
        let limiter = |rule| {
            let layer = RedisLimitLayer::by_rule(&quota, &rules, rule, by_itself);
            layered(layer.unwrap())
        };
        assert_eq!(admitted(&limiter("known"), "a", 5).await, 1);
        let answer = call(&limiter("lost"), "a").await;
        match unknown {
            OnUnknown::Open => answer.unwrap(),
            OnUnknown::Closed => assert!(is::<UnknownRule>(&answer.unwrap_err())),
        }
        let open = u64::from(unknown == OnUnknown::Open);
        assert_eq!(told.get(|counts| &counts.unknown), open);
        assert_eq!(told.get(|counts| &counts.refused), 1 - open);
        let _: () = ask(&mut look(&server).await, &["FLUSHALL"]).await;
    }
}
