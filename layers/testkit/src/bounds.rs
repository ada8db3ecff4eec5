//! Bounds as one line of a test.

/// Compiles only when `T` can go to another thread.
pub const fn assert_send<T: ?Sized + Send>() {}

/// Compiles only when `T` can be shared between threads.
pub const fn assert_sync<T: ?Sized + Sync>() {}

/// Compiles only when `T` can be cloned.
pub const fn assert_clone<T: Clone>() {}

/// [`assert_send`] for a value whose type has no name, such as an `async` block.
pub const fn assert_send_value<T: ?Sized + Send>(_: &T) {}

/// [`assert_sync`] for a value whose type has no name.
pub const fn assert_sync_value<T: ?Sized + Sync>(_: &T) {}
