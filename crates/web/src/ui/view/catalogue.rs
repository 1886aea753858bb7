//! The event catalogue: the list by groups, and one event type with its schema and examples.

use askama::Template;

use super::frame::Frame;
use super::parts::Icon;

/// The event types there are.
#[derive(Template)]
#[template(path = "catalogue.html")]
pub struct CataloguePage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the catalogue is.
    pub list: String,
    /// What is searched for.
    pub search: String,
    /// How many event types there are that fit.
    pub many: usize,
    /// Those of this page, by their groups.
    pub groups: Vec<CatalogueGroup>,
    /// Where the form of a new webhook is, for whoever may make one.
    pub new_webhook: Option<String>,
    /// Where the part before this one is.
    pub previous: Option<String>,
    /// Where the part after this one is.
    pub next: Option<String>,
}

/// Event types that belong together.
pub struct CatalogueGroup {
    /// The group.
    pub name: String,
    /// Whether it is Keybell's own.
    pub is_own: bool,
    /// Its event types.
    pub event_types: Vec<CatalogueRow>,
}

/// One event type of the list.
pub struct CatalogueRow {
    /// Its name.
    pub name: String,
    /// Where its page is.
    pub href: String,
    /// What it is about.
    pub description: String,
}

/// One event type.
#[derive(Template)]
#[template(path = "event_type.html")]
pub struct EventTypePage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the catalogue is.
    pub list: String,
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Whether it is Keybell's own.
    pub is_own: bool,
    /// What it is about.
    pub description: String,
    /// The JSON schema that its data fits, as it reads best.
    pub schema: Option<String>,
    /// An example as each content type has it; none where the platform gave none.
    pub examples: Vec<ExampleView>,
    /// Where the form of a new webhook is with this event ticked, for whoever may make one.
    pub new_webhook: Option<String>,
    /// Where the events of this type are.
    pub events: String,
}

/// An example in one content type.
pub struct ExampleView {
    /// The id of its text.
    pub id: &'static str,
    /// The content type in a word.
    pub label: &'static str,
    /// The `content-type` header of such a request.
    pub header: &'static str,
    /// The body, byte for byte.
    pub body: String,
    /// The body as it reads best, where that differs.
    pub pretty: Option<String>,
    /// Whether it is one of the two that most receivers read.
    pub is_usual: bool,
}
