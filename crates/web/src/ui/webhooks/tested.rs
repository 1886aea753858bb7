//! A test told by events, to a page with scripts: that it is under way, and what came of it. An endpoint may take as long as
//! a delivery may, and a page that only loads says nothing meanwhile.

use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream::{self, StreamExt as _};
use keybell_app::App;
use keybell_core::grant::ManageWebhooks;
use keybell_core::{Grant, WebhookId};
use serde::Serialize;

use super::test::shown_test;
use crate::problem;
use crate::request_id::RequestId;
use crate::ui::event_stream::event_stream;
use crate::ui::view::deliveries::{AttemptView, Message};

/// The names of the events: the request is under way; it is over; there was none, and why.
const SENDING: &str = "sending";
const OUTCOME: &str = "outcome";
const REFUSED: &str = "refused";

/// An attempt as the page's script takes it: texts, and never markup.
#[derive(Serialize)]
struct Told {
    well: bool,
    said: String,
    outcome: String,
    error: Option<String>,
    /// In RFC 3339; the page says it in the words of its reader.
    started: String,
    timings: String,
    url: String,
    curl: Option<String>,
    request: Part,
    answer: Option<Part>,
}

/// A body as it reads best, and as it was where that differs.
#[derive(Serialize)]
struct Part {
    headers: Vec<(String, String)>,
    body: String,
    raw: Option<String>,
    truncated: bool,
}

/// Sends the test, and tells of it.
pub(super) fn told(
    app: App,
    grant: Grant<ManageWebhooks>,
    webhook: WebhookId,
    event_type: Option<String>,
    request: RequestId,
) -> Response {
    // Browsers pass an event over that has no data.
    let sending = Event::default().event(SENDING).data(SENDING);
    let over = async move {
        let tested = app.test_webhook(grant, webhook, event_type.as_deref()).await;
        let over = match tested {
            Ok(attempt) => Event::default().event(OUTCOME).json_data(of(shown_test(attempt))),
            Err(problem) => {
                problem::count(&problem, &request);
                Event::default().event(REFUSED).json_data(&problem.detail)
            }
        };
        over.expect("texts can be written as JSON")
    };
    event_stream(stream::iter([sending]).chain(stream::once(over)))
}

fn of(attempt: AttemptView) -> Told {
    let timings = attempt.timings.iter().map(|(word, time)| format!(" · {word} {time}"));
    Told {
        well: attempt.went_well(),
        said: attempt.said(),
        started: attempt.started.exact(),
        timings: format!(" · {} · took {}{}", attempt.trigger, attempt.took, timings.collect::<String>()),
        outcome: attempt.outcome.word,
        error: attempt.error,
        curl: attempt.curl,
        url: format!("POST {}", attempt.url),
        request: part(attempt.request, false),
        answer: attempt.response.map(|message| part(message, attempt.truncated)),
    }
}

fn part(message: Message, truncated: bool) -> Part {
    let was = message.body.unwrap_or_default();
    let (body, raw) = match message.pretty {
        Some(pretty) => (pretty, Some(was)),
        None => (was, None),
    };
    Part { headers: message.headers, body, raw, truncated }
}
