//! What is generated from `proto/echo.proto`: messages, client and server.
//!
//! The code is committed; the kit's own test regenerates it and fails on a difference.

#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    reason = "generated"
)]
mod echo_v1 {
    include!("proto/echo.v1.rs");
}

pub use self::echo_v1::{EchoReply, EchoRequest, echo_client, echo_server};
