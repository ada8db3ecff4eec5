//! A timer of the runtime's, in memory that is used again.

use std::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Sleep, sleep_until};
use ziggurat_core::Deadline;

/// Wakes a task at a deadline, once it is polled; dropped, it does not.
#[derive(Default)]
pub(crate) struct Alarm(Option<Place>);

/// Where a timer stays while it is registered, whoever moves. Empty, it knows no runtime, so that
/// what is kept for later keeps none alive.
type Place = Pin<Box<Option<Sleep>>>;

/// How many places a thread keeps: a call that waits has one, and most are back when the next begins.
const MOST_KEPT: usize = 256;

thread_local! {
    static KEPT: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

// === impl Alarm ===

impl Alarm {
    /// Ready at `deadline`, which is the same in every poll.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its timer on.
    pub(crate) fn poll_at(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<()> {
        let place = self.0.get_or_insert_with(place);
        if place.is_none() {
            place.set(Some(sleep_until(deadline.instant())));
        }
        match place.as_mut().as_pin_mut() {
            Some(sleep) => sleep.poll(cx),
            None => Poll::Pending,
        }
    }

    pub(crate) const fn is_armed(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Alarm {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            give_back(place);
        }
    }
}

fn place() -> Place {
    // A thread that ends has none left, and calls may still be dropped there.
    let kept = KEPT.try_with(|kept| kept.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_else(|| Box::pin(None))
}

fn give_back(mut place: Place) {
    // Before it is kept: a waker may be the last of a task, whose calls are dropped with it.
    place.set(None);
    _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < MOST_KEPT {
            kept.push(place);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex},
        task::{Wake, Waker},
        thread,
        time::Duration,
    };
    use ziggurat_core::clock;

    fn kept() -> usize {
        KEPT.with(|kept| kept.borrow().len())
    }

    fn armed(cx: &mut Context<'_>) -> Alarm {
        let mut alarm = Alarm::default();
        let deadline = Deadline::after(Duration::from_millis(5));
        assert!(alarm.poll_at(deadline, cx).is_pending());
        alarm
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_used_again_and_forgets_whom_it_was_to_wake() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let alarm = armed(&mut cx);
            assert_eq!(kept(), 0);
            drop(alarm);
            assert_eq!(kept(), 1);
        }
        let began = clock::now();
        let deadline = Deadline::after(Duration::from_millis(20));
        let mut alarm = Alarm::default();
        poll_fn(|cx| alarm.poll_at(deadline, cx)).await;
        assert_eq!(clock::now() - began, Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_places_are_kept() {
        let mut cx = Context::from_waker(Waker::noop());
        let alarms: Vec<_> = (0..2 * MOST_KEPT).map(|_| armed(&mut cx)).collect();
        drop(alarms);
        assert_eq!(kept(), MOST_KEPT);
    }

    /// Drops what it holds when it is woken for the last time.
    #[derive(Default)]
    struct Holds(Mutex<Option<Alarm>>);

    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_waker_that_drops_another_alarm_is_dropped_with_its_own() {
        let holds = Arc::new(Holds::default());
        *holds.0.lock().unwrap() = Some(armed(&mut Context::from_waker(Waker::noop())));
        let waker = Waker::from(holds);
        let alarm = armed(&mut Context::from_waker(&waker));
        drop(waker);
        drop(alarm);
        assert_eq!(kept(), 2);
    }

    #[test]
    fn what_is_kept_serves_the_next_runtime() {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut alarm = Alarm::default();
                let deadline = Deadline::after(Duration::from_millis(5));
                poll_fn(|cx| alarm.poll_at(deadline, cx)).await;
            });
            assert_eq!(kept(), 1);
        }
    }

    /// Paused or not, so that the clock of one says nothing about that of the other.
    fn runtime(paused: bool) -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(paused).build().unwrap()
    }

    #[test]
    fn a_place_of_a_runtime_that_is_gone_serves_another_with_a_clock_of_its_own() {
        let mut cx = Context::from_waker(Waker::noop());
        for paused in [true, false, true] {
            let first = runtime(paused);
            let alarm = first.block_on(async { armed(&mut cx) });
            drop(first);
            drop(alarm);
            assert_eq!(kept(), 1);
            runtime(!paused).block_on(async {
                let mut alarm = Alarm::default();
                let deadline = Deadline::after(Duration::from_millis(3));
                poll_fn(|cx| alarm.poll_at(deadline, cx)).await;
                assert!(deadline.is_over(clock::now()));
            });
        }
    }

    thread_local! {
        static LAST: RefCell<Option<Alarm>> = const { RefCell::new(None) };
    }

    #[test]
    fn an_alarm_may_be_dropped_elsewhere_and_while_a_thread_ends() {
        let runtime = runtime(true);
        let [one, other] = runtime
            .block_on(async { [(); 2].map(|()| armed(&mut Context::from_waker(Waker::noop()))) });
        let thread = thread::spawn(move || {
            // Made first, it is destroyed after what is kept, or before: neither may matter.
            LAST.set(Some(one));
            drop(other);
            kept()
        });
        assert_eq!(thread.join().unwrap(), 1);
        assert_eq!(kept(), 0);
    }

    /// Says that it is gone.
    struct Gone(#[allow(dead_code, reason = "it is counted")] Arc<()>);

    impl Wake for Gone {
        fn wake(self: Arc<Self>) {}
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_who_polls_is_woken_and_nobody_is_kept() {
        let life = Arc::new(());
        let gone = || Waker::from(Arc::new(Gone(Arc::clone(&life))));
        let (first, second) = (gone(), gone());
        let mut alarm = armed(&mut Context::from_waker(&first));
        let deadline = Deadline::after(Duration::from_millis(5));
        assert!(
            alarm
                .poll_at(deadline, &mut Context::from_waker(&second))
                .is_pending()
        );
        drop(first);
        assert_eq!(Arc::strong_count(&life), 2, "the first is forgotten");
        drop((second, alarm));
        assert_eq!((Arc::strong_count(&life), kept()), (1, 1));
    }
}
