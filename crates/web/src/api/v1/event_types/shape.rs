//! What an event type looks like from outside.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;

/// An entry of the catalogue.
#[derive(Serialize, ToSchema)]
pub(super) struct EventType {
    #[schema(example = "research_report.published")]
    name: String,
    /// By which webhooks can select it: `research_report.*`.
    #[schema(example = "research_report")]
    group: String,
    description: String,
    /// The JSON Schema (2020-12) that `data` must fit.
    #[schema(value_type = Option<Object>, required)]
    schema: Option<Box<RawValue>>,
    /// An example of `data`.
    #[schema(value_type = Option<serde_json::Value>, required)]
    example: Option<Box<RawValue>>,
    created_at: At,
    updated_at: At,
}

impl From<keybell_app::event_types::EventType> for EventType {
    fn from(known: keybell_app::event_types::EventType) -> Self {
        EventType {
            name: known.name,
            group: known.group,
            description: known.description,
            schema: known.schema,
            example: known.example,
            created_at: known.created_at.into(),
            updated_at: known.updated_at.into(),
        }
    }
}
