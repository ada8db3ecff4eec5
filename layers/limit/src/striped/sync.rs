//! The atomics of this machine, or those of the model checker.

#[cfg(ziggurat_loom)]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(ziggurat_loom))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Gives another thread a moment; says no.
pub(super) fn spin() -> bool {
    #[cfg(ziggurat_loom)]
    loom::thread::yield_now();
    #[cfg(not(ziggurat_loom))]
    std::hint::spin_loop();
    false
}
