//! The pages of deliveries: what was sent, and what came back.

mod curl;
mod list;
mod live;
mod one;
mod resend;

use std::collections::HashMap;

use axum::Router;
use axum::routing::{get, post};
use keybell_app::App;
use keybell_app::deliveries::{DeliveryStatus, DeliverySummary};
use keybell_app::webhooks::NamedWebhook;
use keybell_core::grant::{ManageWebhooks, ReadPayloads, ReadWebhooks};
use keybell_core::{Problem, WebhookId};

use super::signed::Inside;
use super::view::deliveries::DeliveryRow;
use super::view::parts::{Badge, Tone, When};

pub(super) use list::latest_of;
pub(super) use one::shown;

pub(super) fn router() -> Router<App> {
    const DELIVERIES: &str = "/w/{workspace}/settings/advanced/developer/deliveries";
    Router::new()
        .route(DELIVERIES, get(list::list))
        .route(&format!("{DELIVERIES}/live"), get(live::live))
        .route(&format!("{DELIVERIES}/resend"), get(resend::ask).post(resend::many))
        .route(&format!("{DELIVERIES}/resend-these"), post(resend::these))
        .route(&format!("{DELIVERIES}/{{delivery}}"), get(one::one))
        .route(&format!("{DELIVERIES}/{{delivery}}/resend"), post(resend::one))
}

/// Where the list is.
fn list_of(here: &Inside) -> String {
    format!("{}/deliveries", here.developer())
}

/// Where the deliveries of an event are.
pub(super) fn of_event(here: &Inside, event: &str) -> String {
    format!("{}?event_id={event}", list_of(here))
}

/// The workspace's webhooks, as far as the log speaks of them.
pub(super) struct Webhooks(HashMap<WebhookId, (String, bool)>);

impl Webhooks {
    /// As many as a page has.
    pub(super) async fn of(app: &App, here: &Inside) -> Result<Webhooks, Problem> {
        let names = app.webhook_names(here.grant::<ReadWebhooks>()?).await?;
        let known = |webhook: NamedWebhook| {
            let may_manage = webhook.enabled && here.may::<ManageWebhooks>(&webhook.created_by_id);
            (webhook.id, (webhook.name, may_manage))
        };
        Ok(Webhooks(names.into_iter().map(known).collect()))
    }

    /// A webhook's name, or its id where it has been deleted.
    pub(super) fn name(&self, webhook: WebhookId) -> String {
        self.0.get(&webhook).map_or_else(|| webhook.to_string(), |(name, _)| name.clone())
    }

    /// Whether the person may have this delivery made again.
    pub(super) fn may_resend(&self, delivery: &DeliverySummary) -> bool {
        let may_manage = self.0.get(&delivery.webhook_id).is_some_and(|(_, may_manage)| *may_manage);
        may_manage && delivery.status != DeliveryStatus::Pending
    }
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
pub(super) fn row(here: &Inside, webhooks: &Webhooks, delivery: DeliverySummary) -> DeliveryRow {
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
        may_resend: webhooks.may_resend(&delivery),
        event_type: delivery.event_type,
        webhook: webhooks.name(delivery.webhook_id),
        status: badge(delivery.status),
        answer,
        attempts: delivery.attempts_made,
        at: When::near(delivery.created_at),
        next: delivery.next_attempt_at.map(When::near),
    }
}
