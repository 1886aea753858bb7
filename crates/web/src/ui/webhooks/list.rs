//! The list of webhooks, and the page of one.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::webhooks::{DisabledReason, ShownHeader};
use keybell_app::{App, Page};
use keybell_core::grant::{ManageWebhooks, ReadWebhooks};

use super::{list_of, row, webhook_of};
use crate::problem::Answer;
use crate::ui::deliveries::latest_of;
use crate::ui::fields::Fields;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{CopyField, When};
use crate::ui::view::webhooks::{WebhookPage, WebhooksPage};

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let listing = app.list_webhooks(here.grant::<ReadWebhooks>()?, Page::new(None, cursor)?).await?;
    let list = list_of(&here);
    Ok(page(&WebhooksPage {
        frame: here.frame(Section::Webhooks),
        rows: listing.data.iter().map(|webhook| row(&here, webhook, "list")).collect(),
        may_create: here.grant::<ManageWebhooks>().is_ok(),
        older: listing.next_cursor.map(|cursor| format!("{list}?cursor={cursor}")),
        is_later_page,
        list,
    })?)
}

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = webhook_of(&app, &here, &id).await?;
    let deliveries = latest_of(&app, &here, webhook.id).await?;
    Ok(page(&WebhookPage {
        frame: here.frame(Section::Webhooks),
        webhook: row(&here, &webhook, "page"),
        list: list_of(&here),
        id: CopyField::new("webhook-id", "Webhook id", webhook.id.to_string()),
        description: webhook.description,
        disabled_because: webhook.disabled_reason.map(because),
        headers: webhook.headers.into_iter().map(header).collect(),
        created: When::at(webhook.created_at),
        created_by: webhook.created_by.name,
        deliveries,
        all_deliveries: format!("{}/deliveries?webhook_id={}", here.developer(), webhook.id),
    })?)
}

fn header(header: ShownHeader) -> (String, String) {
    let value = header.value.filter(|_| !header.secret);
    (header.name, value.unwrap_or_else(|| "••••• (secret)".to_owned()))
}

const fn because(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::ByMember => {
            "Somebody switched this webhook off. What waits is sent when it is on again."
        }
        DisabledReason::Gone => {
            "The endpoint answered 410 Gone, so the webhook was switched off. What waits is sent when it is on again."
        }
        DisabledReason::Failing => {
            "Every attempt failed for days, so the webhook was switched off. Mend the endpoint, then enable it: what waits \
             is sent then."
        }
    }
}
