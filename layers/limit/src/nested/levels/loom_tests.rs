//! Two threads at a limit within another, in every order that the memory model allows.

use super::*;
use crate::{
    Rate,
    gcra::Gcra,
    nested::level::Under,
    table::{Found, Table},
};
use loom::thread;
use std::time::Duration;

/// One key, at a time that stands still.
struct Tenant(Table);

const HASH: u64 = 7;
const AT: u64 = 1_000_000_000;

impl Level<()> for Tenant {
    fn find(&self, (): &()) -> Result<Under, Refusal> {
        let rate = rate(2);
        Ok(Under { rate, hash: HASH })
    }

    fn take(&self, Under { rate, hash }: Under, ask: Ask<'_>) -> Result<Found, Refusal> {
        let at = || (rate, AT);
        let (found, taken) = self.0.take(hash, ask.cost, at(), at);
        taken.map_err(limited).map(|()| found)
    }

    fn give_back(&self, Under { rate, hash }: Under, found: Found, ask: Ask<'_>) {
        let taken = (rate, ask.cost, ask.now);
        self.0.give_back(hash, found, taken, || (rate, AT));
    }

    fn look(&self, Under { rate, hash }: Under, ask: Ask<'_>) -> Result<(), Refusal> {
        match self.0.wait(hash, ask.cost, rate, AT) {
            0 => Ok(()),
            wait => Err(limited(wait)),
        }
    }

    fn fresh(&self, _: &Told) -> Arc<dyn Level<()>> {
        Arc::new(Self(Table::new(1)))
    }
}

fn rate(burst: u32) -> Rate {
    let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
    rate.burst(burst).unwrap()
}

fn limited(wait: u64) -> Refusal {
    Refusal::Limited(Duration::from_nanos(wait))
}

/// Is a call admitted by a tenant of two within a total of so many?
fn call(tenant: &Arc<dyn Level<()>>, total: &Gcra, burst: u32) -> bool {
    let (origin, rate) = (Origin::default(), rate(burst));
    let ask = Ask {
        cost: 1,
        now: AT,
        origin: &origin,
    };
    let around = |step| match step {
        Step::Enter | Step::Take => total.take(rate, 1, AT, || (rate, AT)).map_err(limited),
        Step::Look => match total.wait(rate, 1, AT) {
            0 => Ok(()),
            wait => Err(limited(wait)),
        },
    };
    let levels = [Arc::clone(tenant)];
    pass(&levels, &(), ask, &around).is_ok()
}

fn model(total: u32, test: impl Fn(u32, &dyn Fn() -> bool) + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let tenant: Arc<dyn Level<()>> = Arc::new(Tenant(Table::new(1)));
        let gcra = Arc::new(Gcra::new());
        let theirs = (Arc::clone(&tenant), Arc::clone(&gcra));
        let other = thread::spawn(move || u32::from(call(&theirs.0, &theirs.1, total)));
        let mine = u32::from(call(&tenant, &gcra, total));
        let got = mine + other.join().unwrap();
        // By the tenant alone.
        let more = || call(&tenant, &Gcra::new(), 1);
        test(got, &more);
    });
}

#[test]
fn loom_what_the_total_refuses_a_tenant_has_left() {
    model(1, |got, more| {
        assert_eq!(got, 1);
        assert!(more(), "the one that was refused was not given back");
        assert!(!more(), "more was given back than was taken");
    });
}

#[test]
fn loom_what_both_admit_both_have_counted() {
    model(2, |got, more| {
        assert_eq!(got, 2);
        assert!(!more());
    });
}
