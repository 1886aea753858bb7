//! Bodies of deliveries: one event as JSON, XML, a form or `CloudEvents`. Formats: `docs/wire-formats.md`, section 2.
//!
//! What is encoded here is sent byte for byte and signed byte for byte. `data` comes in as the publisher's bytes and never
//! becomes a tree, so that number spelling, member order and duplicate members survive.

mod cloudevents;
mod form;
mod json;
#[cfg(test)]
mod round_trip;
pub(crate) mod tokens;
mod xml;

use serde::{Deserialize, Serialize};

use crate::id::WorkspaceId;
use crate::time::Timestamp;

/// How a webhook wants its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// One JSON object.
    #[default]
    Json,
    /// The same tree as XML.
    Xml,
    /// The JSON document as the field `payload` of a form.
    Form,
    /// `CloudEvents` 1.0 in structured mode.
    CloudEvents,
}

/// One event, ready to be encoded. All borrowed: encoding copies only into the body.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The event's id, as an `EventId` has it.
    pub id: &'a str,
    /// The name of its type, as a `TypeName` has it.
    pub event_type: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The workspace it happened in.
    pub workspace_id: WorkspaceId,
    /// JSON that [`check_data`](crate::event::check_data) accepted.
    pub data: &'a [u8],
    /// Where it comes from, for `CloudEvents`: `<public url>/v1/workspaces/ws_…`.
    pub source: &'a str,
}

impl ContentType {
    /// All of them, in the order in which the pages offer them.
    pub const ALL: [ContentType; 4] =
        [ContentType::Json, ContentType::Xml, ContentType::Form, ContentType::CloudEvents];

    /// Its word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "application/json",
            ContentType::Xml => "application/xml",
            ContentType::Form => "application/x-www-form-urlencoded",
            ContentType::CloudEvents => "application/cloudevents+json",
        }
    }

    /// The content type of that word.
    pub fn parse(word: &str) -> Option<ContentType> {
        ContentType::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What the request's `content-type` header says.
    pub const fn header_value(self) -> &'static str {
        match self {
            ContentType::Xml => "application/xml; charset=utf-8",
            ContentType::CloudEvents => "application/cloudevents+json; charset=utf-8",
            ContentType::Json | ContentType::Form => self.as_str(),
        }
    }
}

impl Serialize for ContentType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ContentType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        ContentType::parse(&word).ok_or_else(|| {
            let known = ContentType::ALL.map(ContentType::as_str).join(", ");
            serde::de::Error::custom(format_args!("expected one of {known}"))
        })
    }
}

/// The body of a delivery.
pub fn encode(content_type: ContentType, envelope: &Envelope<'_>) -> Vec<u8> {
    match content_type {
        ContentType::Json => json::encode(envelope),
        ContentType::Xml => xml::encode(envelope),
        ContentType::Form => form::encode(envelope),
        ContentType::CloudEvents => cloudevents::encode(envelope),
    }
}

#[cfg(test)]
pub(crate) mod test_support {
    use super::*;

    /// The envelope of the tests around `data`.
    pub(crate) fn envelope(data: &str) -> Envelope<'_> {
        Envelope {
            id: "evt_0",
            event_type: "research_report.published",
            occurred_at: Timestamp::from_micros(1_795_447_916_123_000),
            workspace_id: WorkspaceId::from_bytes([0; 16]),
            data: data.as_bytes(),
            source: "https://platform.example/v1/workspaces/ws_00000000000000000000000000",
        }
    }

    /// The body of [`envelope`] as text.
    pub(crate) fn body(content_type: ContentType, data: &str) -> String {
        String::from_utf8(encode(content_type, &envelope(data))).expect("bodies are UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_others_do_not() {
        for kind in ContentType::ALL {
            assert_eq!(ContentType::parse(kind.as_str()), Some(kind));
            assert!(kind.header_value().starts_with(kind.as_str()));
        }
        assert_eq!(ContentType::parse("text/xml"), None);
        assert_eq!(serde_json::to_string(&ContentType::Xml).ok().as_deref(), Some("\"application/xml\""));
        let refused = serde_json::from_str::<ContentType>("\"text/xml\"").expect_err("not one of the four");
        assert!(refused.to_string().contains("application/cloudevents+json"), "{refused}");
    }
}
