//! A gRPC stream as server-sent events.

use super::refusal::Refusal;
use axum::response::sse::Event;
use futures_core::Stream;
use futures_util::stream;
use std::{convert::Infallible, pin::Pin};
use tonic::{Status, Streaming};
use ziggurat_testkit::EchoReply;

type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A `news` for each reply, then one `end`, which says whether there would have been more: a client whose
/// gateway goes away, or whose stream broke, asks again.
pub(super) fn of(
    replies: Streaming<EchoReply>,
    closing: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let closing: Closing = Box::pin(closing);
    stream::unfold(Some((replies, closing)), async |state| {
        let (mut replies, mut closing) = state?;
        let next = tokio::select! {
            next = replies.message() => Some(next),
            () = &mut closing => None,
        };
        Some(match next {
            Some(Ok(Some(reply))) => (Ok(news(&reply)), Some((replies, closing))),
            Some(Ok(None)) => (Ok(end("complete")), None),
            Some(Err(status)) => (Ok(broken(status)), None),
            None => (Ok(end("the gateway goes away")), None),
        })
    })
}

fn news(reply: &EchoReply) -> Event {
    let event = Event::default().event("news").id(reply.repeat.to_string());
    event.data(reply.message.replace(['\r', '\n'], " "))
}

fn end(why: &str) -> Event {
    Event::default().event("end").data(why)
}

fn broken(status: Status) -> Event {
    end(&Refusal::from(status).to_string())
}
