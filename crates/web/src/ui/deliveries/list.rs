//! The list of deliveries, filtered by its address.

use axum::extract::State;
use axum::response::Response;
use keybell_app::deliveries::{DeliveryFilter, DeliveryStatus, ResponseClass};
use keybell_app::{App, Page};
use keybell_core::event::EventId;
use keybell_core::grant::{ManageWebhooks, ReadDeliveries, ReadPayloads};
use keybell_core::id::kind;
use keybell_core::{Problem, WebhookId};

use super::{Webhooks, list_of, of_webhook, row};
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::between::Between;
use crate::ui::download;
use crate::ui::events;
use crate::ui::fields::Fields;
use crate::ui::listed::{address, chosen, kept, list_page, loaded, looked_to};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::deliveries::{DeliveriesPage, DeliveryRow};
use crate::ui::view::frame::Section;
use crate::ui::view::webhooks::WebhookPart;
use crate::ui::webhooks::{event_type_choices, head_of};

/// Deliveries on the page of a webhook.
const LATEST: u32 = 10;

const STATUSES: [(&str, &str); 5] = [
    ("", "Any"),
    ("pending", "Pending"),
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("canceled", "Canceled"),
];
const ANSWERS: [(&str, &str); 6] =
    [("", "Any"), ("2xx", "2xx"), ("3xx", "3xx"), ("4xx", "4xx"), ("5xx", "5xx"), ("none", "No answer")];
/// The parameters that filter, and stay when the page is turned.
pub(super) const FILTERS: [&str; 7] =
    ["webhook_id", "event_id", "event_type", "status", "answer", "from", "to"];

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ReadDeliveries>()?;
    let between = Between::read(&query);
    let filter = filter(&query, &between);
    let (webhook_id, status) = (filter.webhook, filter.status);
    let may_open = here.grant::<ReadPayloads>().is_ok();
    let of_event = |id: &EventId| {
        let href = may_open.then(|| format!("{}/{id}", events::list_of(&here)));
        (id.to_string(), href)
    };
    let event = filter.event.as_ref().map(of_event);
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let found = app.glance_at_deliveries(grant, filter, Page::new(None, cursor)?);
    let (found, problem) = loaded(found.await)?;
    let webhooks = Webhooks::of(&app, &here)?;
    let (list, looked_to) = (list_of(&here), looked_to::<kind::Delivery, _>(&found));
    let kept = kept(&query, &FILTERS);
    let whole = webhook_id.map_or_else(|| list.clone(), |id| of_webhook(&here, id));
    let webhook = webhook_id.and_then(|id| webhooks.get(id));
    let head = webhook.map(|webhook| {
        head_of(&here, (webhook.id, &webhook.name, &webhook.created_by_id), Some(WebhookPart::Deliveries))
    });
    let deliveries: Vec<_> = found.data.into_iter().map(|delivery| row(&here, &webhooks, delivery)).collect();
    let may_resend = here.grant::<ManageWebhooks>().is_ok();
    let is_over = ["failed", "canceled", "succeeded"].contains(&query.one("status"));
    let view = DeliveriesPage {
        frame: here.frame(if head.is_some() { Section::Webhooks } else { Section::Deliveries }),
        webhook: webhook_id.map(|id| (webhooks.name(id), head)),
        webhook_id: webhook_id.map(|id| id.to_string()).unwrap_or_default(),
        event,
        statuses: chosen(&STATUSES, query.one("status")),
        answers: chosen(&ANSWERS, query.one("answer")),
        event_type: query.some("event_type").unwrap_or_default(),
        event_types: event_type_choices(&app, query.some("event_type").as_deref())?,
        webhooks: if webhook_id.is_none() { webhooks.choices() } else { Vec::new() },
        period: between.fields,
        is_filtered: FILTERS[1..].iter().any(|name| query.some(name).is_some()),
        failed: problem.is_some(),
        // What is to come is in no time that has an end.
        live: (!is_later_page && between.until.is_none())
            .then(|| address(&format!("{list}/live"), &kept, None)),
        resend_all: (may_resend && is_over).then(|| address(&format!("{list}/resend"), &kept, None)),
        // What is pending has not ended: there is nothing to tick.
        back: (may_resend && status != Some(DeliveryStatus::Pending))
            .then(|| Back::at(list.clone(), &FILTERS, &query).said()),
        token: form_token(&app),
        download: (!deliveries.is_empty() || looked_to.is_some()).then(|| download::link(&list, &kept)),
        deliveries,
        looked_to,
        older: found.next_cursor.map(|cursor| address(&list, &kept, Some(&cursor))),
        is_later_page,
        newest: whole,
        list,
    };
    Ok(list_page(&view, problem.as_ref())?)
}

/// The newest deliveries of a webhook, for its own page.
pub(in crate::ui) async fn latest_of(
    app: &App,
    here: &Inside,
    webhook: WebhookId,
) -> Result<Vec<DeliveryRow>, Problem> {
    let filter = DeliveryFilter { webhook: Some(webhook), ..DeliveryFilter::default() };
    let page = Page::new(Some(LATEST), None)?;
    let listing = app.list_deliveries(here.grant::<ReadDeliveries>()?, filter, page).await?;
    let webhooks = Webhooks::only(app, here, webhook)?;
    Ok(listing.data.into_iter().map(|delivery| row(here, &webhooks, delivery)).collect())
}

/// What the address, or a form that has it along, filters by.
pub(super) fn filter(fields: &Fields, between: &Between) -> DeliveryFilter {
    DeliveryFilter {
        webhook: fields.some("webhook_id").and_then(|id| WebhookId::parse(&id)),
        event: fields.some("event_id").and_then(|id| EventId::parse(&id).ok()),
        event_type: fields.some("event_type"),
        status: DeliveryStatus::parse(fields.one("status")),
        response_class: ResponseClass::parse(fields.one("answer")),
        from: between.from,
        until: between.until,
    }
}

/// What was filtered by; refused where a word of it is not understood, since without it more would be meant than is.
pub(super) fn strictly(fields: &Fields) -> Result<DeliveryFilter, Problem> {
    let between = Between::read(fields);
    between.refuse_what_is_no_time()?;
    let filter = filter(fields, &between);
    let understood = [
        ("webhook_id", filter.webhook.is_some()),
        ("event_id", filter.event.is_some()),
        ("status", filter.status.is_some()),
        ("answer", filter.response_class.is_some()),
    ];
    match understood.iter().find(|(name, is)| fields.some(name).is_some() && !is) {
        Some((name, _)) => {
            Err(Problem::field(*name, "invalid", "is not understood, so it is not known which are meant"))
        }
        None => Ok(filter),
    }
}
