//! Server-sent events (HTML Living Standard, 9.2): what a page that stays open is told.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, header};

/// How nginx, and what does as nginx does, is told to hand on what comes.
const NOT_BUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The media type.
const EVENT_STREAM: &str = "text/event-stream";

/// The events as an answer: no cache keeps it, and no proxy waits for more of it before it hands it on.
pub(super) fn event_stream(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<_, Infallible>);
    let stream = Sse::new(events).keep_alive(KeepAlive::default());
    ([(header::CACHE_CONTROL, "no-store"), (NOT_BUFFERED, "no")], stream).into_response()
}

/// Whether whoever asks wants to be told by events, and not by a page.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.split(',').any(|kind| kind.trim() == EVENT_STREAM))
}
