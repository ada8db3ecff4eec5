//! Who is ejected, and who is not.

use crate::bench::{
    Connector, Watched, answers, connect, endpoints, fail, hang, layer, pass, state, succeed,
};
use http::Request;
use http_body_util::BodyExt;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::{Layer, ServiceExt};
use ziggurat_core::{
    CallOptions, Code, Deadline, Endpoint, EndpointId, Rejection, Reporter, State,
};
use ziggurat_health::{HealthLayer, Observer, Settings};
use ziggurat_testkit::{HttpScript, Script, Step, tonic};

#[tokio::test(start_paused = true)]
async fn the_fifth_failure_in_a_row_ejects() {
    let all = endpoints(2).await;
    fail(&all[0], 4).await;
    succeed(&all[0]).await;
    fail(&all[0], 4).await;
    assert_eq!(state(&all[0]), State::Ready);
    fail(&all[0], 1).await;
    assert_eq!(state(&all[0]), State::Ejected);
    assert_eq!(
        all[0].availability().reported(Reporter::Health),
        State::Ejected
    );
    assert_eq!(state(&all[1]), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn an_ejected_endpoint_passes_calls_on() {
    let all = endpoints(2).await;
    fail(&all[0], 5).await;
    succeed(&all[0]).await;
    assert_eq!(state(&all[0]), State::Ejected, "and they change nothing");
}

#[tokio::test(start_paused = true)]
async fn failures_in_trailers_count_and_http_200_does_not() {
    let step = Step::headers_then_status(tonic::Code::Unavailable, "");
    let connector = HealthLayer::default().layer(Connector(HttpScript::new([step])));
    let bad = connect(&connector, "users", "bad").await;
    let _other = connect(&connector, "users", "other").await;
    for _ in 0..5 {
        assert_eq!(state(&bad), State::Ready);
        let call = bad.clone().oneshot(Request::new(String::new()));
        call.await.unwrap().into_body().collect().await.unwrap();
    }
    assert_eq!(state(&bad), State::Ejected);
}

#[tokio::test(start_paused = true)]
async fn three_calls_that_hang_until_their_deadline_are_enough() {
    let connector = HealthLayer::default().layer(Connector(HttpScript::new([Step::never()])));
    let bad = connect(&connector, "users", "bad").await;
    let _other = connect(&connector, "users", "other").await;
    let calls = [Some(1), None, Some(1), Some(1)];
    for (n, deadline) in calls.into_iter().enumerate() {
        assert_eq!(state(&bad), State::Ready, "call {n}");
        let mut request = Request::new(String::new());
        if let Some(seconds) = deadline {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            request
                .extensions_mut()
                .insert(CallOptions::new().deadline(deadline));
        }
        let call = bad.clone().oneshot(request);
        let late = tokio::time::timeout(Duration::from_secs(1), call).await;
        assert!(late.is_err());
    }
    assert_eq!(state(&bad), State::Ejected);
}

#[tokio::test(start_paused = true)]
async fn overload_and_business_errors_eject_nobody() {
    for code in [Code::ResourceExhausted, Code::NotFound] {
        let script = Script::<u32, u32>::new([Step::fail(Rejection::decided(code, "no"))]);
        let connector = layer().layer(Connector(script));
        let one = connect(&connector, "users", "one").await;
        let _other = connect(&connector, "users", "other").await;
        for _ in 0..20 {
            one.clone().oneshot(1).await.unwrap_err();
        }
        assert_eq!(state(&one), State::Ready, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_half_are_out_and_never_the_only_one() {
    for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (10, 5)] {
        let all = endpoints(count).await;
        for _ in 0..3 {
            for endpoint in &all {
                fail(endpoint, 5).await;
            }
        }
        let out = all.iter().filter(|one| state(*one) == State::Ejected);
        assert_eq!(out.count(), most, "of {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_cannot_be_called_anyway_count_as_out() {
    let gone = [
        (Reporter::Connection, State::Down, State::Ready),
        (Reporter::Connection, State::Connecting, State::Ready),
        (Reporter::Registry, State::Draining, State::Ready),
        (Reporter::Circuit, State::Ejected, State::Ready),
        (Reporter::Connection, State::Idle, State::Ejected),
    ];
    for (reporter, said, expected) in gone {
        let all = endpoints(4).await;
        all[..2]
            .iter()
            .for_each(|one| one.availability().report(reporter, said));
        fail(&all[2], 5).await;
        assert_eq!(state(&all[2]), expected, "two others are {said:?}");
    }
    let all = endpoints(4).await;
    all[0]
        .availability()
        .report(Reporter::Connection, State::Down);
    fail(&all[1], 5).await;
    assert_eq!(state(&all[1]), State::Ejected, "two of four");
    fail(&all[2], 5).await;
    assert_eq!(state(&all[2]), State::Ready);

    let all = endpoints(2).await;
    let availability = all[0].availability();
    availability.report(Reporter::Connection, State::Down);
    fail(&all[0], 5).await;
    let of_health = availability.reported(Reporter::Health);
    assert_eq!(of_health, State::Ejected, "nobody stands in its own way");
}

#[tokio::test(start_paused = true)]
async fn services_and_layer_values_are_told_apart_and_clones_are_not() {
    let layer = layer();
    let connector = layer.layer(Connector(answers()));
    let users = connect(&connector, "users", "a").await;
    let _orders = connect(&connector, "orders", "b").await;
    fail(&users, 5).await;
    assert_eq!(state(&users), State::Ready, "the only one of its service");

    let elsewhere = layer.clone().isolated().layer(Connector(answers()));
    let _other = connect(&elsewhere, "users", "b").await;
    fail(&users, 5).await;
    assert_eq!(state(&users), State::Ready, "the only one its layer knows");

    let again = layer.clone().layer(Connector(answers()));
    let _other = connect(&again, "users", "b").await;
    fail(&users, 5).await;
    assert_eq!(state(&users), State::Ejected);
}

#[tokio::test(start_paused = true)]
async fn those_who_are_gone_count_no_more() {
    let mut all = endpoints(4).await;
    fail(&all[0], 5).await;
    let open = hang(&all[3]).await;
    all.truncate(2);
    fail(&all[1], 5).await;
    assert_eq!(state(&all[1]), State::Ready, "one of two is out already");
    open.cancel().await;
}

#[tokio::test(start_paused = true)]
async fn the_one_that_replaces_an_ejected_one_is_ejected_too() {
    let connector = layer().layer(Connector(answers()));
    let old = connect(&connector, "users", "a").await;
    let _other = connect(&connector, "users", "b").await;
    fail(&old, 5).await;
    let new: Watched = connect(&connector, "users", "a").await;
    assert_eq!(state(&new), State::Ejected);
    drop(old);
    pass(13).await;
    assert_eq!(state(&new), State::Ready);
    drop(new);
    let anew = connect(&connector, "users", "a").await;
    fail(&anew, 4).await;
    assert_eq!(state(&anew), State::Ready, "nobody had it: it is new");
}

#[tokio::test(start_paused = true)]
async fn a_live_setting_is_followed() {
    let (setter, settings) = ziggurat_core::Live::channel(Settings::new());
    let connector = HealthLayer::new(settings)
        .classify_with(ziggurat_core::ByResult)
        .layer(Connector(answers()));
    let one = connect(&connector, "users", "a").await;
    let _other = connect(&connector, "users", "b").await;
    setter.set(Settings::new().failures(2));
    fail(&one, 2).await;
    assert_eq!(state(&one), State::Ejected);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_keeps_nobody_from_going_or_returning() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn ejected(&self, _: &str, _: &EndpointId, _: Duration) {
            panic!("on purpose");
        }

        fn returned(&self, _: &str, _: &EndpointId) {
            panic!("on purpose");
        }
    }
    let connector = layer().observe_with(Clumsy).layer(Connector(answers()));
    let a = connect(&connector, "users", "a").await;
    let _b = connect(&connector, "users", "b").await;
    for _ in 0..2 {
        fail(&a, 5).await;
        assert_eq!(state(&a), State::Ejected);
        pass(60).await;
        succeed(&a).await;
        assert_eq!(state(&a), State::Ready);
    }
}

#[tokio::test(start_paused = true)]
async fn the_observer_hears_who_goes_who_stays_and_who_returns() {
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);
    impl Observer for Heard {
        fn ejected(&self, service: &str, endpoint: &EndpointId, time: Duration) {
            assert!((8.0..=12.0).contains(&time.as_secs_f64()));
            self.0
                .lock()
                .unwrap()
                .push(format!("{service}/{endpoint} goes"));
        }

        fn spared(&self, service: &str, endpoint: &EndpointId) {
            self.0
                .lock()
                .unwrap()
                .push(format!("{service}/{endpoint} stays"));
        }

        fn returned(&self, service: &str, endpoint: &EndpointId) {
            self.0
                .lock()
                .unwrap()
                .push(format!("{service}/{endpoint} returns"));
        }
    }
    let heard = Heard::default();
    let connector = layer()
        .observe_with(heard.clone())
        .layer(Connector(answers()));
    let a = connect(&connector, "users", "a").await;
    let b = connect(&connector, "users", "b").await;
    fail(&a, 5).await;
    fail(&b, 5).await;
    pass(13).await;
    succeed(&a).await;
    let heard = heard.0.lock().unwrap().clone();
    assert_eq!(heard, ["users/a goes", "users/b stays", "users/a returns"]);
}
