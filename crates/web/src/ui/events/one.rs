//! One event: what it carries, and where it went.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::deliveries::{DeliveryFilter, DeliveryStatus, DeliverySummary};
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::webhooks::Webhook;
use keybell_app::{App, Page};
use keybell_core::event::EventId;
use keybell_core::grant::{ManageWebhooks, ReadDeliveries, ReadPayloads, ReadWebhooks};
use keybell_core::{Code, WebhookId};

use super::list_of;
use crate::problem::Answer;
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::events::{EventPage, ResendForm};
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{CopyField, When};
use crate::ui::{catalogue, deliveries, page, pretty};

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let grant = here.grant::<ReadPayloads>()?;
    let id = EventId::parse(&id).map_err(|_| Code::NotFound)?;
    let found = app.event(grant, id.clone()).await?;
    let webhooks =
        app.list_webhooks(here.grant::<ReadWebhooks>()?, Page::new(Some(PAGE_LIMIT_MAX), None)?).await?.data;
    let filter = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    let sent = app.list_deliveries(here.grant::<ReadDeliveries>()?, filter, Page::default()).await?.data;
    let names: HashMap<WebhookId, String> =
        webhooks.iter().map(|webhook| (webhook.id, webhook.name.clone())).collect();
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
        deliveries: sent.into_iter().map(|delivery| deliveries::row(&here, &names, delivery)).collect(),
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
    webhooks: &[Webhook],
    sent: &[DeliverySummary],
) -> Option<ResendForm> {
    let choice = |delivery: &DeliverySummary| {
        let webhook = webhooks.iter().find(|webhook| webhook.id == delivery.webhook_id)?;
        let can = delivery.status != DeliveryStatus::Pending
            && webhook.enabled
            && here.may::<ManageWebhooks>(&webhook.created_by.id);
        let status = deliveries::badge(delivery.status).word.to_lowercase();
        can.then(|| (delivery.id.to_string(), format!("{} ({status})", webhook.name)))
    };
    let deliveries: Vec<_> = sent.iter().filter_map(choice).collect();
    (!deliveries.is_empty()).then(|| ResendForm {
        action: format!("{}/{event}/resend", list_of(here)),
        token: form_token(app),
        deliveries,
    })
}
