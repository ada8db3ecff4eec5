//! A subscriber that remembers spans and events.

use super::grpc;
use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    sync::{Arc, Mutex},
};
use tower::{Layer as _, Service, service_fn};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};
use ziggurat_core::BoxError;
use ziggurat_testkit::ScriptBody;
use ziggurat_trace::TraceLayer;

/// What was recorded so far.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    spans: Vec<Span>,
    // The registry uses an id again once its span is closed.
    open: BTreeMap<u64, usize>,
    events: Vec<BTreeMap<&'static str, String>>,
}

/// A span, as its fields told.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) parent: Option<usize>,
    pub(super) closed: bool,
    fields: Fields,
}

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

// === impl Recorder ===

impl Recorder {
    /// Records what this thread does until the guard is dropped.
    pub(super) fn install() -> (Self, DefaultGuard) {
        let recorder = Self::default();
        let subscriber = Registry::default().with(recorder.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        // A test on another thread may be opening a span for the first time just now, without a
        // subscriber, and tracing may then take it that nobody wants such spans.
        while !recorder.hears() {
            tracing::callsite::rebuild_interest_cache();
            std::thread::yield_now();
        }
        *recorder.0.lock().unwrap() = Recorded::default();
        (recorder, guard)
    }

    /// Opens a span of each kind, and tells whether it was heard of.
    fn hears(&self) -> bool {
        let layers = [
            TraceLayer::server(),
            TraceLayer::client(),
            TraceLayer::attempt(),
        ];
        for layer in layers {
            let never = service_fn(|_| pending::<Result<http::Response<ScriptBody>, BoxError>>());
            drop(layer.layer(never).call(grpc()));
        }
        let names = ["request", "call", "attempt"];
        names.iter().all(|name| !self.spans(name).is_empty())
    }

    /// The spans of this name, in the order of their opening.
    pub(super) fn spans(&self, name: &str) -> Vec<(usize, Span)> {
        let recorded = self.0.lock().unwrap();
        let spans = recorded.spans.iter().cloned().enumerate();
        spans.filter(|(_, span)| span.name == name).collect()
    }

    /// The one span of this name.
    pub(super) fn only(&self, name: &str) -> (usize, Span) {
        let mut spans = self.spans(name);
        assert_eq!(spans.len(), 1, "{name}: {spans:?}");
        spans.remove(0)
    }

    /// The fields of every event, with the `trace_id` of the span around it.
    pub(super) fn events(&self) -> Vec<BTreeMap<&'static str, String>> {
        self.0.lock().unwrap().events.clone()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut recorded = self.0.lock().unwrap();
        let above = context.span(id).and_then(|span| span.parent());
        let mut span = Span {
            name: attributes.metadata().name(),
            parent: above.map(|above| recorded.open[&above.id().into_u64()]),
            ..Span::default()
        };
        attributes.record(&mut span.fields);
        let place = recorded.spans.len();
        recorded.open.insert(id.into_u64(), place);
        recorded.spans.push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut recorded = self.0.lock().unwrap();
        values.record(&mut recorded.find(id).fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut recorded = self.0.lock().unwrap();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(trace_id) = recorded.find(&span.id()).get("trace_id") {
                let trace_id = trace_id.to_owned();
                fields.0.entry("trace_id").or_insert(trace_id);
            }
        }
        recorded.events.push(fields.0);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut recorded = self.0.lock().unwrap();
        recorded.find(&id).closed = true;
        recorded.open.remove(&id.into_u64());
    }
}

// === impl Recorded ===

impl Recorded {
    fn find(&mut self, id: &Id) -> &mut Span {
        let place = self.open[&id.into_u64()];
        &mut self.spans[place]
    }
}

// === impl Span ===

impl Span {
    /// The text of a field, if it was recorded.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.fields.0.get(field).map(String::as_str)
    }
}

// === impl Fields ===

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
