//! The events to choose from in the form, and an example of what a webhook will be sent.

use keybell_app::event_types::EventType;
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::{App, Page};
use keybell_core::operator_event::is_reserved;
use keybell_core::payload::ContentType;
use keybell_core::{Problem, WorkspaceId};

use crate::ui::example::{self, label};
use crate::ui::fields::Fields;
use crate::ui::view::webhooks::EventGroup;

/// What an example payload carries where no event type has an example.
const EXAMPLE: (&str, &str) = ("example.happened", r#"{"name":"An example","amount":1.50}"#);

/// The event of an example, in each content type.
pub(super) struct ExampleEvent {
    /// Its type.
    pub(super) name: String,
    /// The payloads.
    pub(super) bodies: [(ContentType, String); 4],
}

/// Every event type of the catalogue that is in use.
pub(in crate::ui) fn event_types(app: &App) -> Result<Vec<EventType>, Problem> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let listing = app.list_event_types(&Page::new(Some(PAGE_LIMIT_MAX), cursor)?)?;
        all.extend(listing.data);
        cursor = listing.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    // Keybell's own are last: few want them, and everybody looks for the platform's.
    let place = |kind: &EventType| (is_reserved(&kind.group), kind.group.clone(), kind.name.clone());
    all.sort_by_cached_key(place);
    Ok(all)
}

/// What the address ticks beforehand, as a link of the event catalogue does: only what can be ticked by hand.
pub(super) fn offered(app: &App, query: &Fields) -> Result<Vec<String>, Problem> {
    let types = event_types(app)?;
    let is_known = |wanted: &&str| {
        let group = wanted.strip_suffix(".*");
        types.iter().any(|kind| kind.name == *wanted || group == Some(&kind.group))
    };
    Ok(query.all("events").filter(is_known).map(str::to_owned).collect())
}

/// The groups with what is ticked of them, and what is ticked and in none.
pub(super) fn groups(types: &[EventType], ticked: &[String]) -> (Vec<EventGroup>, Vec<String>) {
    let is_ticked = |name: &str| ticked.iter().any(|known| known == name);
    let mut groups: Vec<EventGroup> = Vec::new();
    for kind in types {
        if groups.last().is_none_or(|group| group.name != kind.group) {
            let all = is_ticked(&format!("{}.*", kind.group));
            let is_own = is_reserved(&kind.group);
            groups.push(EventGroup { name: kind.group.clone(), is_own, all, events: Vec::new() });
        }
        let event = (kind.name.clone(), kind.description.clone(), is_ticked(&kind.name));
        groups.last_mut().expect("one was just pushed").events.push(event);
    }
    let known = |name: &str| {
        name == "*"
            || types.iter().any(|kind| kind.name == name)
            || groups.iter().any(|group| name.strip_suffix(".*") == Some(&group.name))
    };
    let others = ticked.iter().filter(|name| !known(name)).cloned().collect();
    (groups, others)
}

/// An event that a webhook with `wanted` would be sent: of the first type wanted, by name or by group, that has an example;
/// else of the first of the platform that has one. Keybell's own are always there, and say nothing of what this platform
/// sends, so they are taken only where they are asked for.
pub(super) fn example(
    app: &App,
    workspace: WorkspaceId,
    types: &[EventType],
    wanted: &[&str],
) -> ExampleEvent {
    let with_example = |kind: &EventType| {
        kind.example.as_deref().map(|example| (kind.name.clone(), example.get().to_owned()))
    };
    let fits = |kind: &&EventType, wanted: &str| {
        kind.name == wanted || wanted.strip_suffix(".*") == Some(&kind.group)
    };
    let of_wanted = wanted
        .iter()
        .find_map(|wanted| types.iter().filter(|kind| fits(kind, wanted)).find_map(with_example));
    let mut of_platform = types.iter().filter(|kind| !is_reserved(&kind.name));
    let (name, data) = of_wanted
        .or_else(|| of_platform.find_map(with_example))
        .unwrap_or_else(|| (EXAMPLE.0.to_owned(), EXAMPLE.1.to_owned()));
    let bodies = example::in_each(app, workspace, &name, &data);
    ExampleEvent { name, bodies }
}

/// The content types, each with the payload of `example` in it, and whether it is chosen.
pub(super) fn content_types(
    example: ExampleEvent,
    chosen: ContentType,
) -> Vec<(&'static str, &'static str, String, bool)> {
    example.bodies.map(|(kind, body)| (kind.as_str(), label(kind), body, kind == chosen)).into()
}
