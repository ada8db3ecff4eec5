//! When to write: at once, or behind those who are ready to run and may call, too.

/// Puts a write off for one turn of the run queue, where that was seen to make one write of several.
///
/// A runtime of several threads runs the task that was woken last before all others: of callers that
/// are answered together the first is followed by its connection, and every call would go out by
/// itself. On a runtime of one thread callers come first as it is, and to wait is in vain: then it is
/// tried ever less often.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// So many bytes were to be written when they were put off.
    put_off: Option<usize>,
    /// So many writes are still not put off.
    spared: u32,
    /// How many are not when it is in vain once more.
    vain: u32,
}

/// So many bytes are worth a write of their own.
const ENOUGH: usize = 4 << 10;
/// It is tried at least once in so many writes.
const RARELY: u32 = 64;

// === impl Batch ===

impl Batch {
    /// Are `bytes` to be written later? Never twice in a row.
    pub(crate) const fn put_off(&mut self, bytes: usize) -> bool {
        if let Some(before) = self.put_off.take() {
            self.learn(bytes > before);
            return false;
        }
        if bytes >= ENOUGH {
            return false;
        }
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        self.put_off = Some(bytes);
        true
    }

    /// What was put off is written, or lost, for another reason.
    pub(crate) const fn forget(&mut self) {
        self.put_off = None;
    }

    const fn learn(&mut self, helped: bool) {
        if helped {
            self.vain = 0;
            return;
        }
        self.spared = self.vain;
        // The first one costs nothing: it happens among those that help.
        self.vain = match 2 * self.vain + 1 {
            more if more < RARELY => more,
            _ => RARELY - 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `writes` are put off, of which each helps or none does.
    fn waits(batch: &mut Batch, writes: usize, helps: bool) -> usize {
        let wait = |_: &usize| {
            let waits = batch.put_off(100);
            if waits {
                assert!(!batch.put_off(if helps { 200 } else { 100 }), "twice");
            }
            waits
        };
        (0..writes).filter(wait).count()
    }

    #[test]
    fn what_helps_is_done_every_time_and_what_does_not_ever_less_often() {
        let mut batch = Batch::default();
        assert_eq!(waits(&mut batch, 100, true), 100);
        let vain = waits(&mut batch, 6_400, false);
        assert!((100..=112).contains(&vain), "{vain}");
        // It begins to help: that is noticed.
        assert!(waits(&mut batch, 200, true) > 130);
        // Every other one is enough.
        let helped = (0..100).map(|nth| waits(&mut batch, 1, nth % 2 == 0));
        assert_eq!(helped.sum::<usize>(), 100);
        assert_eq!(waits(&mut batch, 100, true), 100);
    }

    #[test]
    fn a_full_write_does_not_wait_and_what_is_forgotten_teaches_nothing() {
        let mut batch = Batch::default();
        assert!(!batch.put_off(ENOUGH));
        for _ in 0..100 {
            assert!(batch.put_off(100));
            batch.forget();
        }
        assert!(batch.put_off(ENOUGH - 1));
        assert!(!batch.put_off(ENOUGH));
    }
}
