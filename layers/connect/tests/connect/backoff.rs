//! How often a server that is not well is dialled: seen from its listener, in virtual time.

use crate::support::{Plain, call, finish, make, pass};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use ziggurat_connect::Settings;
use ziggurat_core::{
    Backoff, BoxError, Dice, Instance,
    clock::{self, Instant},
};
use ziggurat_testkit::EchoServer;

const MS: Duration = Duration::from_millis(1);
/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// When each connection was accepted.
type Accepted = Arc<Mutex<Vec<Instant>>>;

/// Accepts and hangs up: at once, or after a word.
async fn rude(speaks: bool) -> (SocketAddr, Accepted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Accepted::default();
    let told = Arc::clone(&accepted);
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            told.lock().unwrap().push(clock::now());
            if speaks {
                let _ = socket.write_all(&SETTINGS).await;
                let _ = socket.shutdown().await;
            }
        }
    });
    (address, accepted)
}

/// As gRPC's, up to 20 s.
fn settings() -> Settings {
    let backoff = Backoff::new(1_000 * MS, 1.6, 20_000 * MS).unwrap();
    Settings::default().backoff(backoff)
}

/// The times between one connection and the next, in 200 s.
async fn gaps(speaks: bool, seed: u64) -> Vec<Duration> {
    let (address, accepted) = rude(speaks).await;
    let connector = Plain::new(settings()).dice(Dice::seeded(seed));
    let _connection = make(connector, address).await;
    pass(200_000 * MS, 50 * MS).await;
    let accepted = accepted.lock().unwrap();
    accepted.windows(2).map(|two| two[1] - two[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_listener_sees_tries_that_grow_apart_each_by_its_own_chance() {
    for speaks in [false, true] {
        let gaps = gaps(speaks, 7).await;
        let ideal = |n: usize| Duration::from_secs_f64(1.6_f64.powi(n as i32).min(20.0));
        assert!((10..=18).contains(&gaps.len()), "{gaps:?}");
        for (n, gap) in gaps.iter().enumerate() {
            // Time passes by 50 ms here.
            let range = ideal(n).mul_f64(0.8)..=ideal(n).mul_f64(1.2) + 150 * MS;
            assert!(range.contains(gap), "{n}: {gap:?} of {gaps:?}");
        }
        // Twice the factor outweighs the jitter, up to the cap.
        let grows = gaps[..8].windows(3).all(|three| three[0] < three[2]);
        assert!(grows, "{gaps:?}");
        let shares = gaps.iter().enumerate();
        let shares: Vec<f64> = shares
            .map(|(n, gap)| gap.div_duration_f64(ideal(n)))
            .collect();
        let (least, most) = shares
            .iter()
            .fold((9.0_f64, 0.0_f64), |(least, most), share| {
                (least.min(*share), most.max(*share))
            });
        assert!(most - least > 0.1, "no jitter: {shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_clients_do_not_come_back_in_step() {
    let (one, other) = (gaps(false, 1).await, gaps(false, 2).await);
    let in_step = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(in_step * 2 < one.len(), "{one:?} {other:?}");
}

/// When each of 200 clients dialled a server that was up, then restarted, and is not back yet.
async fn herd(seed: u64) -> Vec<Vec<Duration>> {
    const CLIENTS: usize = 200;
    let server = EchoServer::in_memory();
    let (down, is_down) = tokio::sync::watch::channel(false);
    let dialled: Arc<Mutex<Vec<Vec<Instant>>>> = Arc::new(Mutex::new(vec![Vec::new(); CLIENTS]));
    let dice = Dice::seeded(seed);
    let mut connections = Vec::new();
    for n in 0..CLIENTS {
        let (pipes, dialled, is_down) = (server.clone(), Arc::clone(&dialled), is_down.clone());
        let dial = tower::service_fn(move |_: Instance| {
            dialled.lock().unwrap()[n].push(clock::now());
            let pipe = (!*is_down.borrow()).then(|| pipes.dial_in_memory());
            std::future::ready(pipe.ok_or_else(|| BoxError::from("refused")))
        });
        let connector = Plain::new(Settings::default())
            .dice(dice.clone())
            .transport(dial);
        let connection = make(connector, ([127, 0, 0, 1], 1).into()).await;
        finish(call(&connection).await).await.unwrap();
        connections.push(connection);
    }
    let cut = clock::now();
    down.send_replace(true);
    server.kill().await;
    tokio::time::sleep(300_000 * MS).await;
    let dialled = dialled.lock().unwrap();
    let after = |times: &Vec<Instant>| times[1..].iter().map(|time| *time - cut).collect();
    dialled.iter().map(after).collect()
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_server_that_restarts_do_not_come_back_as_a_herd() {
    for seed in [1, 2, 3] {
        let clients = herd(seed).await;
        let per_second = |second: u64| {
            let all = clients.iter().flatten();
            all.filter(|time| time.as_secs() == second).count()
        };
        // Once at once, once after about a second: then fewer and fewer.
        assert!(per_second(0) + per_second(1) <= 2 * clients.len());
        for (from, most) in [(2, 200), (10, 120), (60, 40), (150, 24)] {
            let worst = (from..300).map(per_second).max().unwrap();
            assert!(worst <= most, "{worst} tries in a second after {from} s");
        }
        // The second tries are spread evenly over 0.8 to 1.2 s.
        let mut bins = [0_u32; 10];
        for client in &clients {
            let share = (client[1].as_secs_f64() - 0.8) / 0.4;
            bins[((share * 10.0) as usize).min(9)] += 1;
        }
        let expected = clients.len() as f64 / 10.0;
        let off = bins.map(|seen| (f64::from(seen) - expected).powi(2) / expected);
        let chi_square: f64 = off.iter().sum();
        // Nine degrees of freedom: more comes by chance once in a thousand.
        assert!(chi_square < 27.9, "{chi_square} of {bins:?}");
        // What one client waits says nothing of what another does: none come together for long.
        let last = clients.iter().map(|client| client[client.len() - 1]);
        let last: std::collections::HashSet<_> = last.map(|time| time.as_millis() / 10).collect();
        assert!(last.len() > 150, "{} moments", last.len());
    }
}
