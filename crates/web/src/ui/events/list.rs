//! The list of events, filtered by its address.

use axum::extract::State;
use axum::response::Response;
use keybell_app::events::{EventFilter, EventSummary};
use keybell_app::{App, Page};
use keybell_core::grant::{ReadDeliveries, ReadPayloads};
use keybell_core::id::kind;

use super::list_of;
use crate::problem::Answer;
use crate::ui::between::Between;
use crate::ui::fields::Fields;
use crate::ui::listed::{address, kept, list_page, loaded, looked_to};
use crate::ui::signed::Inside;
use crate::ui::view::events::{EventRow, EventsPage};
use crate::ui::view::frame::Section;
use crate::ui::view::parts::When;
use crate::ui::webhooks::event_type_choices;
use crate::ui::{catalogue, deliveries};

/// The parameters that filter, and stay when the page is turned: those of the API.
const FILTERS: [&str; 3] = ["type", "from", "to"];

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ReadDeliveries>()?;
    let between = Between::read(&query);
    let event_type = query.some("type");
    let filter = EventFilter { event_type: event_type.clone(), from: between.from, until: between.until };
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let (found, problem) = loaded(app.glance_at_events(grant, filter, Page::new(None, cursor)?).await)?;
    let list = list_of(&here);
    let kept = kept(&query, &FILTERS);
    let view = EventsPage {
        frame: here.frame(Section::Events),
        catalogue: catalogue::list_of(&here),
        event_types: event_type_choices(&app, event_type.as_deref())?,
        event_type: event_type.unwrap_or_default(),
        period: between.fields,
        is_filtered: !kept.is_empty(),
        failed: problem.is_some(),
        looked_to: looked_to::<kind::Event, _>(&found),
        events: found.data.into_iter().map(|event| row(&here, event)).collect(),
        older: found.next_cursor.map(|cursor| address(&list, &kept, Some(&cursor))),
        is_later_page,
        newest: address(&list, &kept, None),
        list,
    };
    Ok(list_page(&view, problem.as_ref())?)
}

fn row(here: &Inside, event: EventSummary) -> EventRow {
    let may_open = here.grant::<ReadPayloads>().is_ok();
    let id = event.id.to_string();
    EventRow {
        href: may_open.then(|| format!("{}/{id}", list_of(here))),
        event_type: event.event_type,
        occurred: When::near(event.occurred_at),
        received: When::near(event.created_at),
        deliveries: event.deliveries,
        all_deliveries: deliveries::of_event(here, &id),
        id,
    }
}
