//! Circuits by name and by key.

use super::five_for_a_minute;
use http::{Request, Response};
use http_body_util::Empty;
use std::{
    convert::Infallible,
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_breaker::{Breakers, ByMethod, KeyedBreakerLayer, Observer, Open, Settings, State};
use ziggurat_core::{Http, error};

type Body = Empty<&'static [u8]>;

async fn answer(request: Request<()>) -> Result<Response<Body>, Infallible> {
    let status = if request.uri().path() == "/bad" {
        500
    } else {
        200
    };
    let mut response = Response::new(Body::new());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    Ok(response)
}

fn request(path: &str) -> Request<()> {
    Request::builder().uri(path).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_method_that_fails_takes_no_other_with_it() {
    let breakers = Breakers::new(five_for_a_minute());
    let layer = KeyedBreakerLayer::new(breakers.clone(), ByMethod).classify_with(Http);
    let service = layer.layer(service_fn(answer));
    for _ in 0..5 {
        let response = service.clone().oneshot(request("/bad")).await.unwrap();
        assert_eq!(response.status(), 500);
    }
    assert!(service.clone().oneshot(request("/bad")).await.is_err());
    assert!(service.clone().oneshot(request("/good")).await.is_ok());
    assert_eq!(breakers.names(), ["/bad", "/good"]);
    // Another service behind the same circuits knows it, too.
    let other = layer.layer(service_fn(answer));
    assert!(other.oneshot(request("/bad")).await.is_err());
    breakers.handle("/bad").reset();
    assert!(service.oneshot(request("/bad")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_not_begun_while_the_circuit_of_its_name_is_open() {
    let breakers = Breakers::new(five_for_a_minute());
    let begun = AtomicU32::new(0);
    let query = async |works: bool| {
        let op = async || {
            begun.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
            works.then_some(7).ok_or_else(|| io::Error::other("down"))
        };
        breakers.run("db", op).await
    };
    assert_eq!(query(true).await.unwrap(), 7);
    for _ in 0..4 {
        let error = query(false).await.unwrap_err();
        assert!(error.downcast_ref::<io::Error>().is_some());
    }
    // One that is dropped half way is neither.
    assert!(tokio_test::task::spawn(query(false)).poll().is_pending());
    assert_eq!(breakers.handle("db").state(), State::Closed);
    assert!(query(false).await.is_err());
    let refused = query(true).await.unwrap_err();
    assert!(error::find::<Open>(&*refused).is_some());
    assert_eq!(begun.load(Relaxed), 7);
    assert_eq!(
        breakers
            .run("other", async || Ok::<_, io::Error>(1))
            .await
            .unwrap(),
        1
    );
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(query(true).await.unwrap(), 7);
    let layer = breakers.layer("db");
    assert_eq!(layer.handle().state(), State::HalfOpen);
    assert_eq!(layer.run(async || Ok::<_, io::Error>(2)).await.unwrap(), 2);
    assert_eq!(layer.handle().state(), State::Closed);
}

#[test]
fn what_knows_something_bad_stays_when_there_are_too_many() {
    let breakers = Breakers::new(Settings::new()).most(10);
    breakers.handle("bad").force_open();
    let held = breakers.layer("held");
    for n in 0..1_000 {
        assert_eq!(breakers.handle(&n.to_string()).state(), State::Closed);
        assert!(breakers.names().len() <= 10);
    }
    assert_eq!(breakers.handle("bad").state(), State::ForcedOpen);
    // It was forgotten, and works on for whoever has it.
    assert!(!breakers.names().contains(&"held".to_owned()));
    assert_eq!(held.handle().state(), State::Closed);
}

#[test]
fn one_that_is_asked_for_again_and_again_stays() {
    let breakers = Breakers::new(Settings::new()).most(10);
    let hot = breakers.handle("hot");
    for n in 0..1_000 {
        drop(breakers.layer("hot"));
        drop(breakers.layer(&n.to_string()));
    }
    hot.force_open();
    assert_eq!(breakers.handle("hot").state(), State::ForcedOpen);
}

#[test]
fn settings_and_observers_go_by_name() {
    struct Tell(String, std::sync::mpsc::Sender<String>);

    impl Observer for Tell {
        fn changed(&self, from: State, to: State) {
            self.1
                .send(format!("{}: {from:?} -> {to:?}", self.0))
                .unwrap();
        }
    }

    let (tell, told) = std::sync::mpsc::channel();
    let breakers = Breakers::by(|name| {
        let settings = five_for_a_minute();
        match name {
            "one" => settings.consecutive_failures(1).unwrap().into(),
            _ => settings.into(),
        }
    });
    let breakers = breakers.observe_with(move |name| Tell(name.to_owned(), tell.clone()));
    for name in ["one", "other"] {
        breakers.handle(name).force_open();
    }
    drop(breakers);
    let told: Vec<_> = told.iter().collect();
    let expected = ["one", "other"].map(|name| format!("{name}: Closed -> ForcedOpen"));
    assert_eq!(told, expected);
}

#[test]
fn a_key_of_a_megabyte_costs_a_few_bytes() {
    let breakers = Breakers::new(Settings::new());
    let long = "x".repeat(1 << 20);
    drop(breakers.layer(&long));
    assert_eq!(breakers.names(), ["x".repeat(256)]);
}

#[test]
fn threads_that_ask_for_one_name_get_one_circuit() {
    let breakers = Breakers::new(Settings::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..200 {
                    breakers.handle(&n.to_string()).force_open();
                }
            });
        }
    });
    for n in 0..200 {
        assert_eq!(breakers.handle(&n.to_string()).opened(), 1);
    }
}
