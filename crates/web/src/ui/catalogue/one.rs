//! One event type: its schema, and an example as it would be sent.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;
use keybell_core::operator_event::is_reserved;
use keybell_core::payload::ContentType;

use super::{list_of, new_webhook};
use crate::problem::Answer;
use crate::ui::signed::Inside;
use crate::ui::view::catalogue::{EventTypePage, ExampleView};
use crate::ui::view::frame::Section;
use crate::ui::{events, example, page, pretty};

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, name)): Path<(String, String)>,
) -> Answer<Response> {
    let kind = app.event_type(&name)?;
    let workspace = here.place.workspace;
    let bodies =
        kind.example.as_deref().map(|data| example::in_each(&app, workspace, &kind.name, data.get()));
    let read = |json: &str| pretty::json(json).unwrap_or_else(|| json.to_owned());
    Ok(page(&EventTypePage {
        frame: here.frame(Section::Catalogue),
        list: list_of(&here),
        is_own: is_reserved(&kind.name),
        schema: kind.schema.as_deref().map(|schema| read(schema.get())),
        examples: bodies.into_iter().flatten().map(|(kind, body)| shown(kind, body)).collect(),
        new_webhook: new_webhook(&here).map(|form| format!("{form}?events={}", kind.name)),
        events: format!("{}?type={}", events::list_of(&here), kind.name),
        name: kind.name,
        group: kind.group,
        description: kind.description,
    })?)
}

fn shown(content_type: ContentType, body: String) -> ExampleView {
    ExampleView {
        id: match content_type {
            ContentType::Json => "example-json",
            ContentType::Xml => "example-xml",
            ContentType::Form => "example-form",
            ContentType::CloudEvents => "example-cloudevents",
        },
        label: example::label(content_type),
        header: content_type.header_value(),
        pretty: pretty::body(&body),
        body,
        is_usual: matches!(content_type, ContentType::Json | ContentType::Xml),
    }
}
