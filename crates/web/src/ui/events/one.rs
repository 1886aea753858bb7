//! One event: what it carries, and where it went.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::deliveries::{DeliveryFilter, DeliverySummary};
use keybell_app::{App, Page};
use keybell_core::Code;
use keybell_core::event::EventId;
use keybell_core::grant::{ReadDeliveries, ReadPayloads};

use super::list_of;
use crate::problem::Answer;
use crate::ui::deliveries::Webhooks;
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::events::{EventPage, ResendForm};
use crate::ui::view::form::CopyField;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::When;
use crate::ui::{catalogue, deliveries, page, pretty};

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let grant = here.grant::<ReadPayloads>()?;
    let id = EventId::parse(&id).map_err(|_| Code::NotFound)?;
    let found = app.event(grant, id.clone()).await?;
    let webhooks = Webhooks::of(&app, &here)?;
    let filter = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    let sent = app.list_deliveries(here.grant::<ReadDeliveries>()?, filter, Page::default()).await?.data;
    let event = found.event;
    let id = event.id.to_string();
    Ok(page(&EventPage {
        frame: here.frame(Section::Events),
        catalogued: app
            .event_type(&event.event_type)
            .ok()
            .map(|kind| (kind.description, format!("{}/{}", catalogue::list_of(&here), kind.name))),
        event_type: event.event_type,
        occurred: When::at(event.occurred_at),
        received: When::at(event.created_at),
        went_to: event.deliveries,
        pretty: pretty::json(&found.data),
        data: found.data,
        resend: resend_form(&app, &here, &id, &webhooks, &sent),
        deliveries: sent.into_iter().map(|delivery| deliveries::row(&here, &webhooks, delivery)).collect(),
        all_deliveries: deliveries::of_event(&here, &id),
        id: CopyField::new("event-id", "Event id", id),
        list: list_of(&here),
    })?)
}

/// The form with every delivery that could be made again now, of those on the page; `None` where there is none.
fn resend_form(
    app: &App,
    here: &Inside,
    event: &str,
    webhooks: &Webhooks,
    sent: &[DeliverySummary],
) -> Option<ResendForm> {
    let choice = |delivery: &DeliverySummary| {
        let status = deliveries::badge(delivery.status).word.to_lowercase();
        let choice =
            || (delivery.id.to_string(), format!("{} ({status})", webhooks.name(delivery.webhook_id)));
        webhooks.may_resend(here, delivery).then(choice)
    };
    let deliveries: Vec<_> = sent.iter().filter_map(choice).collect();
    (!deliveries.is_empty()).then(|| ResendForm {
        action: format!("{}/{event}/resend", list_of(here)),
        token: form_token(app),
        deliveries,
    })
}
