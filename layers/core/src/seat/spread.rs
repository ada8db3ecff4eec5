//! A value whose owners each thread counts in a place of its own.

use super::{Apart, PerSeat};
use std::{fmt, ops::Deref, sync::Arc};

/// A value that calls keep alive, and for each thread a handle of it.
///
/// A call that counts itself among the owners of one `Arc`, and out again, writes twice where all
/// threads write. Here it counts where [its thread](super::place) counts alone.
///
/// ```
/// use ziggurat_core::seat::Spread;
///
/// let limit = Spread::new(5);
/// let call = limit.own();
/// drop(limit);
/// assert_eq!(*call, 5);
/// ```
pub struct Spread<T> {
    value: Arc<T>,
    handles: PerSeat<Owner<T>>,
}

/// One of those who keep the value of a [`Spread`] alive.
pub struct Owner<T>(Arc<Apart<Arc<T>>>);

// === impl Spread ===

impl<T> Spread<T> {
    /// Spreads the owners of `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            value: Arc::new(value),
            handles: PerSeat::new(),
        }
    }

    /// One more owner of the value; the first one of a thread allocates.
    #[must_use]
    #[inline]
    pub fn own(&self) -> Owner<T> {
        let handle = || Owner(Arc::new(Apart(Arc::clone(&self.value))));
        self.handles.mine(handle).clone()
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Spread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spread").field(&self.value).finish()
    }
}

// === impl Owner ===

impl<T> Clone for Owner<T> {
    /// Counted where this one is.
    #[inline]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Owner<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let Apart(value) = &*self.0;
        value
    }
}

impl<T: fmt::Debug> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owner").field(&**self).finish()
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Weak, thread};

    fn owners<T>(spread: &Spread<T>) -> usize {
        Arc::strong_count(&spread.own().0) - 2
    }

    #[test]
    fn owners_are_counted_where_their_thread_is_and_not_where_others_are() {
        let spread = Spread::new(());
        let _mine = [spread.own(), spread.own()];
        assert_eq!(owners(&spread), 2);
        // Dropped here, it is counted out where it was counted in.
        let other = thread::scope(|scope| {
            let own = scope.spawn(|| {
                let own = spread.own();
                assert_eq!(owners(&spread), 1);
                own
            });
            own.join().unwrap()
        });
        assert_eq!(owners(&spread), 2);
        drop(other);
        assert_eq!(owners(&spread), 2);
    }

    #[test]
    fn the_last_owner_drops_the_value_and_none_before() {
        let spread = Spread::new(Arc::new(()));
        let value: Weak<()> = Arc::downgrade(&spread);
        let mine = spread.own();
        let other = thread::scope(|scope| scope.spawn(|| spread.own()).join().unwrap());
        drop(spread);
        drop(mine);
        assert!(value.upgrade().is_some());
        drop(other);
        assert!(value.upgrade().is_none());
    }
}
