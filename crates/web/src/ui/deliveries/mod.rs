//! The pages of deliveries: what was sent, and what came back.

mod list;
mod one;

use std::collections::HashMap;

use axum::Router;
use axum::routing::get;
use keybell_app::deliveries::{DeliveryStatus, DeliverySummary};
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::{App, Page};
use keybell_core::grant::{ReadPayloads, ReadWebhooks};
use keybell_core::{Problem, WebhookId};

use super::signed::Inside;
use super::view::deliveries::DeliveryRow;
use super::view::parts::{Badge, Tone, When};

pub(super) use list::latest_of;

pub(super) fn router() -> Router<App> {
    const DELIVERIES: &str = "/w/{workspace}/settings/advanced/developer/deliveries";
    Router::new()
        .route(DELIVERIES, get(list::list))
        .route(&format!("{DELIVERIES}/{{delivery}}"), get(one::one))
}

/// Where the list is.
fn list_of(here: &Inside) -> String {
    format!("{}/deliveries", here.developer())
}

/// Where the deliveries of an event are.
pub(super) fn of_event(here: &Inside, event: &str) -> String {
    format!("{}?event_id={event}", list_of(here))
}

/// The names of the workspace's webhooks, as many as a page has.
async fn names_of(app: &App, here: &Inside) -> Result<HashMap<WebhookId, String>, Problem> {
    let page = Page::new(Some(PAGE_LIMIT_MAX), None)?;
    let listing = app.list_webhooks(here.grant::<ReadWebhooks>()?, page).await?;
    Ok(listing.data.into_iter().map(|webhook| (webhook.id, webhook.name)).collect())
}

/// A webhook's name, or its id where it has been deleted.
fn name_of(names: &HashMap<WebhookId, String>, webhook: WebhookId) -> String {
    names.get(&webhook).cloned().unwrap_or_else(|| webhook.to_string())
}

/// Whether it waits at its webhook: for its endpoint, or for being enabled.
fn waits(delivery: &DeliverySummary) -> bool {
    delivery.status == DeliveryStatus::Pending && delivery.next_attempt_at.is_none()
}

pub(super) fn badge(status: DeliveryStatus) -> Badge {
    match status {
        DeliveryStatus::Pending => Badge::new(Tone::Warn, "Pending"),
        DeliveryStatus::Succeeded => Badge::new(Tone::Good, "Succeeded"),
        DeliveryStatus::Failed => Badge::new(Tone::Bad, "Failed"),
        DeliveryStatus::Canceled => Badge::new(Tone::Plain, "Canceled"),
    }
}

/// A delivery as a row of a list.
pub(super) fn row(
    here: &Inside,
    names: &HashMap<WebhookId, String>,
    delivery: DeliverySummary,
) -> DeliveryRow {
    let answer = match (delivery.last_response_status, delivery.attempts_made) {
        (Some(status), _) => status.to_string(),
        (None, 0) => "—".to_owned(),
        (None, _) => "No answer".to_owned(),
    };
    let may_open = here.grant::<ReadPayloads>().is_ok();
    DeliveryRow {
        href: may_open.then(|| format!("{}/{}", list_of(here), delivery.id)),
        id: delivery.id.to_string(),
        waits: waits(&delivery),
        event_type: delivery.event_type,
        webhook: name_of(names, delivery.webhook_id),
        status: badge(delivery.status),
        answer,
        attempts: delivery.attempts_made,
        at: When::near(delivery.created_at),
        next: delivery.next_attempt_at.map(When::near),
    }
}
