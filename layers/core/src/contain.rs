//! Code of the user's, whose panics reach nobody.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs what is a user's and only listens, as an observer does. `None`: it panicked, and the hook for
/// panics has said so; whoever called goes on as if it had not.
///
/// An observer is told by tasks that must not end, in destructors that may run while another panic goes
/// by, and under locks: none of them may be broken by who counts. Nothing is contained in a program
/// that is built with `panic = "abort"`.
///
/// ```
/// use ziggurat_core::contain;
///
/// assert_eq!(contain(|| 7), Some(7));
/// assert_eq!(contain(|| panic!("the graphs are full")), None::<()>);
/// ```
pub fn contain<T>(run: impl FnOnce() -> T) -> Option<T> {
    // What `run` left half done is its own.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => Some(done),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// What a panic is made of may panic, too, as it is dropped. What that one is made of is not asked.
#[cold]
#[allow(clippy::mem_forget, reason = "it could go on for ever")]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_is_made_of_may_panic_and_gets_nowhere() {
        struct Bomb(u32);
        impl Drop for Bomb {
            fn drop(&mut self) {
                if self.0 > 0 {
                    std::panic::panic_any(Self(self.0 - 1));
                }
            }
        }
        for bombs in 0..3 {
            assert_eq!(contain(|| std::panic::panic_any(Bomb(bombs))), None::<()>);
        }
    }

    #[test]
    fn a_panic_on_the_way_of_another_ends_no_process() {
        struct Tells;
        impl Drop for Tells {
            fn drop(&mut self) {
                contain(|| panic!("by who was told"));
            }
        }
        let told = contain(|| {
            let _tells = Tells;
            if true {
                panic!("the first");
            }
        });
        assert_eq!(told, None);
    }
}
