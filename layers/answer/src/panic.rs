//! Panics on a server: caught where they happen, and answered like any other error.
//!
//! hyper runs every call of a connection in one task, or leaves it to the server to spawn one: a panic
//! that nobody catches resets the call at best, and at worst closes the connection under all the
//! others. [`CatchPanicLayer`] makes an error of it, [`Panicked`], which an
//! [`AnswerLayer`](crate::AnswerLayer) outside answers with INTERNAL or 500.
//!
//! What is caught is a panic of the inner service: when it is asked whether it is ready, when it is
//! called, while its future is polled, and while the body of its response is polled or asked how long it
//! is. What is left of
//! the call is dropped at once. Nothing is caught in a program that is built with `panic = "abort"`.

mod body;
mod future;
mod layer;
mod panicked;
mod service;

pub use self::{
    body::Body, future::ResponseFuture, layer::CatchPanicLayer, panicked::Panicked,
    service::CatchPanic,
};
