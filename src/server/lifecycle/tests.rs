use super::*;
use std::{
    future::pending,
    io,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};
use tokio::time::{self, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// The phase that a life has `after` so long, while it is being ended.
async fn phase_after(life: &Lifecycle, after: Duration) -> Phase {
    time::sleep(after).await;
    life.phase()
}

#[tokio::test(start_paused = true)]
async fn it_says_goodbye_then_waits_then_closes_and_then_ends_its_calls() {
    let life = Lifecycle::default();
    let call = life.begin();
    life.on_leave(async {
        time::sleep(2 * SECOND).await;
        Ok::<_, io::Error>(())
    });
    assert_eq!(
        (life.phase(), life.readiness().as_u16()),
        (Phase::Serving, 200)
    );

    let half = SECOND / 2;
    let watch = async {
        assert_eq!(phase_after(&life, half).await, Phase::Leaving);
        assert!(life.is_draining());
        assert_eq!(life.readiness(), 503);
        // Its goodbyes took two seconds, and the grace is one.
        assert_eq!(phase_after(&life, 2 * SECOND).await, Phase::Leaving);
        assert_eq!(phase_after(&life, SECOND).await, Phase::Closing);
        assert_eq!(life.in_flight(), 1);
        drop(call);
    };
    let began = Instant::now();
    let (drained, ()) = tokio::join!(life.shutdown(), watch);
    assert_eq!(began.elapsed(), 3 * SECOND + half);
    assert!(drained.is_clean(), "{drained:?}");
    assert_eq!(life.phase(), Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn whatever_takes_too_long_is_cut_off_and_told_of() {
    let settings = Settings::new();
    let life = Lifecycle::new(
        settings
            .goodbyes(4 * SECOND)
            .grace(2 * SECOND)
            .drain(8 * SECOND),
    );
    let _call = life.begin();
    life.on_leave(pending::<Result<(), io::Error>>());
    let server = life.run(pending::<()>());
    let began = Instant::now();
    let (drained, served) = tokio::join!(life.shutdown(), server);
    assert_eq!(began.elapsed(), 14 * SECOND);
    assert_eq!(served, Err(CutOff));
    assert_eq!(drained.cut_off, 1);
    assert_eq!(drained.problems, ["goodbyes took too long"]);
}

#[tokio::test(start_paused = true)]
async fn goodbyes_that_fail_or_panic_keep_nobody_from_the_others() {
    let life = Lifecycle::default();
    let said = Arc::new(AtomicBool::new(false));
    let saying = Arc::clone(&said);
    life.on_leave(async { Err("the registry is gone") });
    life.on_leave(async {
        assert_eq!(Settings::new().grace, Duration::ZERO, "boom");
        Ok::<_, io::Error>(())
    });
    life.on_leave(async move {
        saying.store(true, SeqCst);
        Ok::<_, io::Error>(())
    });
    let mut problems = life.shutdown().await.problems;
    problems.sort();
    assert!(said.load(SeqCst));
    assert_eq!(problems.len(), 2);
    assert!(problems[0].contains("panicked"), "{problems:?}");
    assert_eq!(problems[1], "the registry is gone");
}

/// Such as a server that was told to stop while it registered.
#[tokio::test(start_paused = true)]
async fn who_has_to_say_goodbye_only_while_it_leaves_still_can() {
    let settings = Settings::new().goodbyes(4 * SECOND).grace(2 * SECOND);
    let life = Lifecycle::new(settings);
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let goodbye = |name: &'static str, takes: Duration| {
        let said = Arc::clone(&said);
        async move {
            time::sleep(takes).await;
            said.lock().unwrap().push(name);
            Ok::<_, io::Error>(())
        }
    };
    life.on_leave(goodbye("in time", SECOND));
    let late = async {
        time::sleep(SECOND / 2).await;
        life.on_leave(goodbye("while others are said", SECOND));
        // Until 1.5 s; then the grace, until 3.5 s.
        time::sleep(2 * SECOND).await;
        life.on_leave(goodbye("in the grace", SECOND / 2));
        life.on_leave(goodbye("beyond the grace", 3 * SECOND / 2 - SECOND / 10));
        life.on_leave(goodbye("too long", 2 * SECOND));
        time::sleep(4 * SECOND).await;
        assert!(life.phase() > Phase::Leaving);
        life.on_leave(goodbye("after it has left", Duration::ZERO));
    };
    let (drained, ()) = tokio::join!(life.shutdown(), late);
    assert_eq!(drained.problems, ["goodbyes took too long"]);
    assert_eq!(life.shutdown().await, drained);
    let all = [
        "in time",
        "while others are said",
        "in the grace",
        "beyond the grace",
    ];
    assert_eq!(*said.lock().unwrap(), all);
}

#[tokio::test(start_paused = true)]
async fn goodbyes_may_take_for_ever() {
    let settings = Settings::new().goodbyes(Duration::MAX);
    let life = Lifecycle::new(settings.grace(SECOND).drain(Duration::MAX));
    life.on_leave(async {
        time::sleep(60 * SECOND).await;
        Ok::<_, io::Error>(())
    });
    assert!(life.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn all_who_end_it_wait_for_one_end() {
    let life = Lifecycle::default();
    let call = life.begin();
    let began = Instant::now();
    let later = async {
        time::sleep(5 * SECOND).await;
        drop(call);
    };
    let (one, other, ()) = tokio::join!(life.shutdown(), life.shutdown(), later);
    assert_eq!(one, other);
    assert_eq!(life.shutdown().await, one);
    assert_eq!(began.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_goes_on_where_it_stands() {
    let life = Lifecycle::default();
    let call = life.begin();
    let cut = time::timeout(3 * SECOND, life.shutdown()).await;
    assert!(cut.is_err());
    assert_eq!(life.phase(), Phase::Closing);
    drop(call);
    assert!(life.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_its_servers_even_if_no_call_is_in_flight() {
    let life = Lifecycle::default();
    let closing = life.closing();
    let server = life.run(async {
        closing.await;
        time::sleep(7 * SECOND).await;
        "flushed"
    });
    let began = Instant::now();
    let (drained, served) = tokio::join!(life.shutdown(), server);
    assert_eq!((served, drained.is_clean()), (Ok("flushed"), true));
    assert_eq!(began.elapsed(), 8 * SECOND);
}

#[test]
fn nothing_needs_a_runtime_before_the_end() {
    let life = Lifecycle::default();
    life.on_leave(async { Ok::<_, io::Error>(()) });
    let _leaving = life.leaving();
    assert!(format!("{life:?}").contains("Serving"));
}
