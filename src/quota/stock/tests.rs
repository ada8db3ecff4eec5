use super::*;

const LEASE: Duration = Duration::from_millis(100);
const MS: u64 = 1_000_000;

fn rate(count: u32, burst: u32) -> Rate {
    Rate::per_second(count).unwrap().burst(burst).unwrap()
}

fn granted(granted: u32) -> Grant {
    let wait = Duration::ZERO;
    Grant { granted, wait }
}

/// Of one a second.
fn want_of(least: u32) -> Want {
    let (rate, most) = (rate(1, 100), 100);
    Want { rate, most, least }
}

/// By a clock that says the same whenever it is asked.
fn share(
    stock: &mut Stock,
    rate: Rate,
    processes: usize,
    cost: u32,
    now: u64,
) -> Result<(), Duration> {
    stock.share(rate, processes, cost, now, || now)
}

/// Calls one after another, every `pause`, with a Redis that has all: how often it was asked.
fn asked(pause: u64, calls: u64) -> (u64, Stock) {
    let (mut stock, mut asked) = (Stock::default(), 0);
    for now in (1..=calls).map(|n| n * pause) {
        loop {
            let step = stock.take(1, false, now);
            if step == Step::Admit {
                break;
            }
            asked += 1;
            let want = stock.order(1, rate(100_000, 100_000), LEASE, now);
            stock.settle(want_of(1), granted(want), LEASE, now);
            if step == Step::AdmitAndOrder {
                break;
            }
        }
    }
    (asked, stock)
}

#[test]
fn a_key_that_is_called_now_and_then_is_asked_for_one_by_one() {
    let (asked, stock) = asked(1_000 * MS, 50);
    assert_eq!((asked, stock.tokens), (50, 0));
}

#[test]
fn a_hot_key_is_asked_for_a_few_times_a_lease_and_loses_nothing() {
    // 10,000 calls a second for ten seconds: 100 leases.
    let (asked, stock) = asked(MS / 10, 100_000);
    assert!((200..=500).contains(&asked), "{asked}");
    assert!((500..=1_000).contains(&stock.size), "{stock:?}");
}

#[test]
fn no_more_is_held_than_comes_in_a_lease_nor_than_a_share_of_the_burst() {
    for (rate, bound) in [
        (rate(1_000, 1_000), 100),
        (rate(1_000, 80), 10),
        (rate(1, 1_000), 1),
        (rate(1, 1), 1),
        (rate(1_000_000_000, 4_000_000_000), 100_000_000),
    ] {
        assert_eq!(most(rate, LEASE), bound, "{rate}");
    }
}

#[test]
fn what_is_not_used_in_time_is_lost() {
    let mut stock = Stock::default();
    stock.settle(want_of(1), granted(5), LEASE, 0);
    assert_eq!(stock.take(1, false, 99 * MS), Step::Admit);
    // But to those who have waited for it.
    assert_eq!(stock.take(1, true, 100 * MS), Step::Admit);
    assert_eq!(stock.take(1, false, 100 * MS), Step::Short(1));
}

#[test]
fn who_was_refused_is_refused_without_asking_until_redis_has_more() {
    let mut stock = Stock::default();
    let wait = Duration::from_millis(300);
    stock.settle(want_of(2), Grant { granted: 0, wait }, LEASE, 0);
    assert_eq!(stock.take(2, false, 0), Step::Refuse(wait));
    assert_eq!(stock.take(2, false, 100 * MS), Step::Refuse(wait - LEASE));
    // One may be there where two are not.
    assert_eq!(stock.take(1, false, 100 * MS), Step::Short(1));
    assert_eq!(stock.take(2, false, 300 * MS), Step::Short(2));
}

#[test]
fn a_key_that_is_used_up_is_asked_for_so_rarely_that_there_is_something() {
    let want = Want {
        rate: rate(10_000, 10_000),
        most: 10,
        least: 1,
    };
    let (granted, wait) = (3, Duration::from_micros(100));
    let mut stock = Stock::default();
    stock.settle(want, Grant { granted, wait }, LEASE, 0);
    for _ in 0..3 {
        assert_eq!(stock.take(1, false, MS), Step::Admit);
    }
    assert!(matches!(stock.take(1, false, 12 * MS), Step::Refuse(_)));
    assert_eq!(stock.take(1, false, 13 * MS), Step::Short(1));
    // Of a burst that is full again before that, nothing is lost.
    assert_eq!(pause(rate(10_000, 40), LEASE), Duration::from_micros(500));
}

#[test]
fn a_long_refusal_is_asked_about_again_as_the_rate_may_be_another() {
    let mut stock = Stock::default();
    let wait = Duration::from_secs(60);
    stock.settle(want_of(1), Grant { granted: 0, wait }, LEASE, 0);
    assert!(matches!(stock.take(1, false, 499 * MS), Step::Refuse(_)));
    assert_eq!(stock.take(1, false, 500 * MS), Step::Short(1));
}

#[test]
fn those_who_wait_are_ordered_for_together() {
    let (mut stock, slow) = (Stock::default(), rate(1, 1_000));
    assert_eq!(stock.order(1, slow, LEASE, 0), 1);
    for _ in 0..300 {
        stock.wait(1);
    }
    assert_eq!(stock.order(1, slow, LEASE, 0), 300);
    assert_eq!(stock.order(1, slow, LEASE, 0), 1);
    stock.wait(u32::MAX);
    stock.wait(1);
    assert_eq!(stock.order(1, slow, LEASE, 0), 1_000);
}

#[test]
fn each_process_has_its_share_of_the_rate_and_of_the_burst() {
    let (rate, processes) = (rate(100, 40), 4);
    let mut stock = Stock::default();
    // Ten at once, and then 25 a second for two seconds.
    let admitted = (0..=2_000).filter(|ms| share(&mut stock, rate, processes, 1, ms * MS).is_ok());
    assert_eq!(admitted.count(), 10 + 50);
    let wait = share(&mut stock, rate, processes, 1, 2_000 * MS).unwrap_err();
    assert!(wait <= Duration::from_millis(40), "{wait:?}");
    // None is one.
    assert!(share(&mut Stock::default(), rate, 0, 40, 0).is_ok());
}

#[test]
fn a_quicker_rate_is_in_force_for_a_share_at_the_next_call() {
    let hourly = Rate::new(1, Duration::from_secs(3_600)).unwrap();
    let mut stock = Stock::default();
    share(&mut stock, hourly, 4, 1, MS).unwrap();
    share(&mut stock, hourly, 4, 1, MS).unwrap_err();
    // Of ten at once one is left, as after any change.
    assert_eq!(share(&mut stock, rate(100, 40), 4, 1, MS), Ok(()));
    let wait = share(&mut stock, rate(100, 40), 4, 1, MS).unwrap_err();
    assert_eq!(wait, Duration::from_millis(40));
    assert_eq!(share(&mut stock, rate(100, 40), 4, 1, 41 * MS), Ok(()));
}

#[test]
fn a_call_above_the_share_of_the_burst_is_owed_in_full_and_the_wait_is_exact() {
    let (mut stock, rate) = (Stock::default(), rate(100, 40));
    // Alone it may go, and takes 40 times 40 ms; the share of the burst is ten of these.
    share(&mut stock, rate, 4, 40, MS).unwrap();
    for (cost, wait) in [(1, 31 * 40), (10, 40 * 40), (40, 40 * 40)] {
        let wait_of = |stock: &mut Stock, now| share(stock, rate, 4, cost, now);
        let told = wait_of(&mut stock, MS).unwrap_err();
        assert_eq!(told, Duration::from_millis(wait));
        let (mut early, mut then) = (stock, stock);
        wait_of(&mut early, wait * MS).unwrap_err();
        wait_of(&mut then, MS + wait * MS).unwrap();
    }
}

#[test]
fn a_call_whose_clock_is_late_gets_nothing_for_it() {
    let (mut stock, rate) = (Stock::default(), rate(100, 40));
    share(&mut stock, rate, 4, 40, 1_000 * MS).unwrap();
    for _ in 0..10 {
        let late = stock.share(rate, 4, 1, 1_000 * MS - 1, || 1_000 * MS);
        assert_eq!(late, Err(Duration::from_millis(31 * 40)));
    }
}

#[test]
fn a_share_of_a_rate_that_divides_no_second_is_not_exceeded_by_what_is_rounded() {
    let (rate, mut stock) = (rate(1_500_000, 1), Stock::default());
    let calls = 0..2_000_000;
    let admitted = calls.filter(|now| share(&mut stock, rate, 1, 1, *now).is_ok());
    // In two milliseconds.
    let admitted = admitted.count();
    assert!((2_900..=3_001).contains(&admitted), "{admitted}");
}
