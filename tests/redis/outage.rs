//! A Redis that is killed, frozen, started again, or is none.

use super::support::*;
use futures_util::FutureExt;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::{self, Instant},
};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat::{
    core::{BoxError, Deadline, Live},
    limit::Limited,
    quota::{OnOutage, RedisLimitLayer, RedisQuota, Unchecked},
};
use ziggurat_testkit::RedisServer;

fn quota(url: &str, on_outage: OnOutage, told: &Told) -> RedisQuota {
    let quota = RedisQuota::open(url, on_outage).unwrap();
    quota.observe_with(told.clone())
}

async fn unreachable(quota: &RedisQuota, limiter: &Limiter) {
    eventually("it is noticed", async || {
        let _either = call(limiter, "other").await;
        !quota.is_reachable()
    })
    .await;
}

#[tokio::test]
async fn without_a_redis_the_policy_decides_and_is_counted() {
    let mut server = RedisServer::start().await;
    server.kill();
    let policies = [
        OnOutage::Open,
        OnOutage::Closed,
        OnOutage::Share(Live::from(2)),
    ];
    for policy in policies {
        let told = Told::default();
        let quota = quota(&server.url(), policy.clone(), &told);
        let limiter = limiter(&quota, burst_only(10));
        let mut admitted = 0;
        for _ in 0..100 {
            match call(&limiter, "a").await {
                Ok(()) => admitted += 1,
                Err(error) if matches!(policy, OnOutage::Closed) => {
                    assert!(is::<Unchecked>(&error), "{error}");
                }
                Err(error) => assert!(is::<Limited>(&error), "{error}"),
            }
        }
        let expected = match policy {
            OnOutage::Open => 100,
            OnOutage::Closed => 0,
            // Its half of the burst.
            _ => 5,
        };
        assert_eq!(admitted, expected, "{policy:?}");
        assert_eq!(told.get(|counts| &counts.admitted_alone), expected);
        assert_eq!(told.get(|counts| &counts.rejected_alone), 100 - expected);
        assert_eq!(told.get(|counts| &counts.down), 1);
    }
}

#[tokio::test]
async fn once_it_is_known_to_be_down_nobody_waits_and_then_it_is_back() {
    let mut server = RedisServer::start().await;
    let told = Told::default();
    let quota = quota(&server.url(), OnOutage::Closed, &told);
    let quota = quota.timeout(Duration::from_secs(10)).unwrap();
    let limiter = limiter(&quota, rate(1_000, 1_000));
    assert!(call(&limiter, "a").await.is_ok());
    server.kill();
    unreachable(&quota, &limiter).await;
    for _ in 0..1_000 {
        let answer = call(&limiter, "b").now_or_never().expect("it waits");
        assert!(is::<Unchecked>(&answer.unwrap_err()));
    }
    // It knows no script any more.
    server.restart().await;
    eventually("it is asked again", async || {
        call(&limiter, "c").await.is_ok()
    })
    .await;
    assert!(quota.is_reachable());
    assert!(told.get(|counts| &counts.up) >= 1);
    assert_eq!(
        told.get(|counts| &counts.up),
        told.get(|counts| &counts.down)
    );
}

#[tokio::test]
async fn a_frozen_redis_holds_no_call_up_for_long() {
    let server = RedisServer::start().await;
    let told = Told::default();
    let quota = quota(&server.url(), OnOutage::Open, &told);
    let limiter = limiter(&quota, burst_only(1));
    eventually("a machine that is busy", async || {
        let _either = call(&limiter, "a").await;
        told.get(|counts| &counts.asked) > 0
    })
    .await;
    server.freeze();
    let begin = Instant::now();
    for _ in 0..200 {
        assert!(call(&limiter, "b").await.is_ok());
    }
    // Had each waited for its 50 ms, it were ten seconds.
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!quota.is_reachable());
    assert!(told.get(|counts| &counts.admitted_alone) >= 200);
    server.thaw();
    eventually("it decides again", async || {
        call(&limiter, "b").await.is_err()
    })
    .await;
    assert!(quota.is_reachable());
}

#[tokio::test]
async fn one_that_was_frozen_from_the_start_holds_nobody_up_either() {
    let server = RedisServer::start().await;
    server.freeze();
    let told = Told::default();
    let quota = quota(&server.url(), OnOutage::Open, &told);
    let limiter = limiter(&quota, burst_only(1));
    let begin = Instant::now();
    for _ in 0..200 {
        assert!(call(&limiter, "a").await.is_ok());
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(told.get(|counts| &counts.admitted_alone), 200);
    server.thaw();
    eventually("it decides", async || call(&limiter, "a").await.is_err()).await;
}

#[tokio::test]
async fn a_call_waits_no_longer_than_its_deadline() {
    let server = RedisServer::start().await;
    let quota = RedisQuota::open(&server.url(), OnOutage::Closed).unwrap();
    let quota = quota.timeout(Duration::from_secs(10)).unwrap();
    let layer = RedisLimitLayer::new(&quota, "r", burst_only(1), one).unwrap();
    let service = layer.layer(service_fn(|_: http::Request<()>| async {
        Ok::<_, BoxError>(())
    }));
    server.freeze();
    let mut request = http::Request::new(());
    let deadline = Deadline::after(Duration::from_millis(50));
    request.extensions_mut().insert(deadline);
    let begin = Instant::now();
    let refused = service.oneshot(request).await.unwrap_err();
    assert!(is::<Unchecked>(&refused), "{refused}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_another_put_under_the_key_is_counted_and_is_no_outage() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    for (key, words) in [
        ("list", &["LPUSH", "ziggurat:limit:login:list", "x"]),
        ("text", &["SET", "ziggurat:limit:login:text", "x"]),
        ("nan", &["SET", "ziggurat:limit:login:nan", "nan"]),
    ] {
        let _: redis::Value = ask(&mut redis, words).await;
        let told = Told::default();
        let quota = patient(&server).observe_with(told.clone());
        let limiter = limiter(&quota, burst_only(5));
        for count in 1..=2 {
            let refused = call(&limiter, key).await.unwrap_err();
            assert!(is::<Unchecked>(&refused), "{refused}");
            assert_eq!(told.get(|counts| &counts.malformed), count);
        }
        assert_eq!(admitted(&limiter, "good", 10).await, 5);
        assert!(quota.is_reachable());
        let _: () = ask(&mut redis, &["FLUSHALL"]).await;
    }
}

#[tokio::test]
async fn what_answers_nonsense_is_counted_and_breaks_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let mut buffer = [0; 4_096];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    // One answer a command: each begins with its number of words.
                    let commands = buffer[..length].iter().filter(|byte| **byte == b'*');
                    let answers = b":-5\r\n".repeat(commands.count());
                    let _gone = stream.write_all(&answers).await;
                }
            });
        }
    });
    let told = Told::default();
    let quota = quota(&format!("redis://{address}"), OnOutage::Open, &told);
    let quota = quota.timeout(Duration::from_secs(10)).unwrap();
    let limiter = limiter(&quota, burst_only(1));
    for _ in 0..20 {
        assert!(call(&limiter, "a").await.is_ok());
    }
    assert_eq!(told.get(|counts| &counts.malformed), 20);
    assert!(quota.is_reachable());
}

#[tokio::test]
async fn a_server_that_refuses_the_password_is_an_outage() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).await;
    let told = Told::default();
    let quota = quota(&server.url(), OnOutage::Open, &told);
    let limiter = limiter(&quota, burst_only(1));
    unreachable(&quota, &limiter).await;
    assert_eq!(admitted(&limiter, "a", 10).await, 10);
    let url = format!("redis://:secret@{}", server.address());
    let quota = RedisQuota::open(&url, OnOutage::Closed).unwrap();
    let quota = quota.timeout(Duration::from_secs(10)).unwrap();
    let limiter = super::support::limiter(&quota, burst_only(1));
    assert_eq!(admitted(&limiter, "a", 10).await, 1);
}

#[tokio::test]
async fn the_task_ends_with_the_last_who_uses_it() {
    let server = RedisServer::start().await;
    let mut redis = look(&server).await;
    let limiter = limiter(&patient(&server), burst_only(1));
    assert!(call(&limiter, "a").await.is_ok());
    let clients = async |redis: &mut _| {
        let list: String = ask(redis, &["CLIENT", "LIST"]).await;
        list.lines().count()
    };
    assert_eq!(clients(&mut redis).await, 2);
    drop(limiter);
    eventually("its connection is closed", async || {
        clients(&mut redis).await == 1
    })
    .await;
}

#[test]
fn it_outlives_the_runtime_of_its_first_call() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let server = first.block_on(RedisServer::start());
    let limiter = limiter(&patient(&server), burst_only(5));
    assert_eq!(first.block_on(admitted(&limiter, "a", 1)), 1);
    drop(first);
    let second = runtime();
    assert_eq!(second.block_on(admitted(&limiter, "a", 10)), 4);
    second.block_on(async { time::sleep(Duration::ZERO).await });
}
