//! Settings that may change while calls run.

use arc_swap::ArcSwap;
use std::{fmt, sync::Arc};

/// A setting: a constant, or a value that somebody else may change at any time.
///
/// A call reads what it needs once, when it starts, so it never sees half of a change. `T` is a
/// type whose values are all valid: whoever cannot make one leaves the last good one in force.
///
/// ```
/// use ziggurat_core::Live;
///
/// let fixed = Live::from(5);
/// assert_eq!(fixed.get(), 5);
///
/// let (setter, live) = Live::channel(5);
/// setter.set(6);
/// assert_eq!(live.get(), 6);
/// ```
#[derive(Clone)]
pub struct Live<T>(Inner<T>);

/// Changes a [`Live`] value for all who read it. Dropped, the last value stays.
#[derive(Clone)]
pub struct LiveSetter<T>(Arc<ArcSwap<T>>);

#[derive(Clone)]
enum Inner<T> {
    Fixed(T),
    Watched(Arc<ArcSwap<T>>),
}

// === impl Live ===

impl<T> Live<T> {
    /// A value that never changes.
    pub const fn fixed(value: T) -> Self {
        Self(Inner::Fixed(value))
    }

    /// A value that the setter changes.
    pub fn channel(value: T) -> (LiveSetter<T>, Self) {
        let shared = Arc::new(ArcSwap::from_pointee(value));
        (
            LiveSetter(Arc::clone(&shared)),
            Self(Inner::Watched(shared)),
        )
    }

    /// Reads the present value in place.
    pub fn read<U>(&self, read: impl FnOnce(&T) -> U) -> U {
        match &self.0 {
            Inner::Fixed(value) => read(value),
            Inner::Watched(shared) => read(&shared.load()),
        }
    }

    /// The present value, to be held on to, if it is one that may change; `None` for a constant, of
    /// which one copy is enough for all calls.
    #[must_use]
    pub fn watched(&self) -> Option<Arc<T>> {
        match &self.0 {
            Inner::Fixed(_) => None,
            Inner::Watched(shared) => Some(shared.load_full()),
        }
    }

    /// Copies the present value.
    #[must_use]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        self.read(|value| *value)
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Self {
        Self::fixed(value)
    }
}

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self::fixed(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|value| f.debug_tuple("Live").field(value).finish())
    }
}

// === impl LiveSetter ===

impl<T> LiveSetter<T> {
    /// Puts `value` in force for every call that starts from now on.
    pub fn set(&self, value: T) {
        self.0.store(Arc::new(value));
    }

    /// The value in force.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// A reader of what is set here.
    #[must_use]
    pub fn live(&self) -> Live<T> {
        Live(Inner::Watched(Arc::clone(&self.0)))
    }
}

impl<T: fmt::Debug> fmt::Debug for LiveSetter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveSetter").field(&*self.0.load()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_may_change_is_held_as_it_was() {
        assert_eq!(Live::fixed(5).watched(), None);
        let (setter, live) = Live::channel(5);
        let held = live.watched().unwrap();
        setter.set(6);
        assert_eq!((*held, live.get()), (5, 6));
    }

    #[test]
    fn whoever_sets_a_value_can_read_it_and_make_readers() {
        struct NotClone(u32);

        let (setter, first) = Live::channel(NotClone(5));
        let second = setter.live();
        setter.set(NotClone(6));
        assert_eq!(setter.load().0, 6);
        assert!(
            [first, second]
                .iter()
                .all(|live| live.read(|value| value.0) == 6)
        );
    }
}
