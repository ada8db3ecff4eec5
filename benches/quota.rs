//! What a limit that is kept on a Redis costs a process, on one hot key: `cargo bench --bench quota`.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time,
};
use tower::{Layer, Service};
use ziggurat::{
    core::ByResult,
    limit::{Key, Rate},
    quota::{OnOutage, RedisLimitLayer, RedisQuota},
};
use ziggurat_benches::{Figure, Figures, Noop, Stopwatch, allocations};
use ziggurat_testkit::RedisServer;

const PARTS: [&str; 2] = ["admitted", "refused"];
/// How many calls are made before others of the same thread have their turn.
const BATCH: u32 = 1_000;

fn main() {
    let mut figures = Figures::of_args(&PARTS);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = runtime.block_on(RedisServer::start());
    let plenty = Rate::per_second(1_000_000_000).expect("valid");
    let day = Duration::from_secs(86_400);
    let spent = Rate::new(1, day).expect("valid");
    for (part, rate) in PARTS.into_iter().zip([plenty, spent]) {
        if figures.wants(part) {
            rows(&mut figures, &runtime, &server, part, rate);
        }
    }
    // Cargo names a folder inside the target directory, wherever that is.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    figures.finish(&tmp.with_file_name("bench").join("quota.json"));
}

fn rows(figures: &mut Figures, runtime: &Runtime, server: &RedisServer, part: &str, rate: Rate) {
    let millis = figures.pace(2_000, 50) as u64;
    let quota = RedisQuota::open(&server.url(), OnOutage::Closed).expect("an address");
    let quota = quota.timeout(Duration::from_secs(5)).expect("valid");
    let layer = RedisLimitLayer::new(&quota, part, rate, one).expect("valid");
    let service = layer.carry_with(ByResult).layer(Noop);
    let mut rows = Vec::new();
    for tasks in [1, 2] {
        // The first time until it is hot.
        for warm in [true, false] {
            let begun = Stopwatch::start();
            let ((admitted, refused), allocated) =
                allocations(|| runtime.block_on(storm(&service, tasks, millis)));
            if warm {
                continue;
            }
            let calls = (admitted + refused) as f64;
            let expected = if part == "admitted" {
                admitted
            } else {
                refused
            };
            assert!(expected as f64 > 0.99 * calls, "{admitted} {refused}");
            let case = format!("{part}, {tasks} at once");
            let figure = |name, value, unit| Figure::new("quota", case.clone(), name, value, unit);
            let rate = calls / begun.millis() / 1e3;
            rows.push(
                figure("ziggurat", rate, "M checks/s").of(1.0, "the least that is asked for"),
            );
            rows.push(figure("ziggurat", allocated as f64 / calls, "allocations"));
        }
    }
    figures.show(&format!("a limit on Redis, one key, {part}"), rows);
}

/// How many calls were admitted and refused, by so many who call without a pause.
async fn storm<S>(service: &S, tasks: usize, millis: u64) -> (u64, u64)
where
    S: Service<u64, Future: Send> + Clone + Send + 'static,
{
    let over = Arc::new(AtomicBool::new(false));
    let mut storm = JoinSet::new();
    for _ in 0..tasks {
        let (mut service, over) = (service.clone(), Arc::clone(&over));
        storm.spawn(async move {
            let mut counts = (0, 0);
            while !over.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    match service.call(7).await {
                        Ok(_) => counts.0 += 1,
                        Err(_) => counts.1 += 1,
                    }
                }
                // Else nobody here would hear of Redis's answers.
                tokio::task::yield_now().await;
            }
            counts
        });
    }
    time::sleep(Duration::from_millis(millis)).await;
    over.store(true, Ordering::Relaxed);
    let all = storm.join_all().await.into_iter();
    all.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
}

fn one(_: &u64) -> Option<Key<'_>> {
    Some(Key::Number(1))
}
