//! The list of webhooks, and the page of one.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::webhooks::ShownHeader;
use keybell_app::{App, Page};
use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::{ManageWebhooks, ReadWebhooks};
use keybell_core::{Code, Timestamp, WebhookId};
use tokio::try_join;

use super::health::health_of;
use super::{head, list_of, row, webhook_of};
use crate::problem::Answer;
use crate::ui::charts::{Outcomes, Sparkline, Timeline, Words, bars, grouped, latency, rate};
use crate::ui::deliveries::{latest_of, of_webhook};
use crate::ui::fields::Fields;
use crate::ui::period::Period;
use crate::ui::signed::Inside;
use crate::ui::view::form::CopyField;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{Lately, When};
use crate::ui::view::webhooks::{WebhookPage, WebhookPart, WebhookRow, WebhooksPage};
use crate::ui::{page, rate_limit};

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let lately = Period::Day.question(app.now());
    let (listing, stats) = try_join!(
        app.list_webhooks(here.grant::<ReadWebhooks>()?, Page::new(None, cursor)?),
        app.stats_by_webhook(here.grant::<ReadWebhooks>()?, lately),
    )?;
    let list = list_of(&here);
    let ids = listing.data.iter().map(|webhook| webhook.id).collect();
    let mut went = match stats {
        Some(stats) => stats.of_webhooks(&ids)?,
        None => app.stats_of_webhooks(here.grant::<ReadWebhooks>()?, ids, lately).await?,
    };
    let rows = listing.data.iter().map(|webhook| {
        let lately = went.remove(&webhook.id).map(went_lately);
        WebhookRow { lately, ..row(&here, webhook, "list") }
    });
    Ok(page(&WebhooksPage {
        frame: here.frame(Section::Webhooks),
        rows: rows.collect(),
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
    query: Fields,
) -> Answer<Response> {
    let period = Period::of(&query);
    let question = period.question(app.now());
    let known = WebhookId::parse(&id).ok_or(Code::NotFound)?;
    let (webhook, went, deliveries) = try_join!(
        webhook_of(&app, &here, &id),
        app.webhook_stats(here.grant::<ReadWebhooks>()?, known, question),
        latest_of(&app, &here, known),
    )?;
    let went = Timeline::of(went, period.step(), AttemptCounts::add);
    Ok(page(&WebhookPage {
        frame: here.frame(Section::Webhooks),
        webhook: row(&here, &webhook, "page"),
        head: head(&here, &webhook, Some(WebhookPart::Overview)),
        id: CopyField::new("webhook-id", "Webhook id", webhook.id.to_string()),
        health: health_of(&webhook, app.settings().delivery.disable_failing_after),
        periods: period.choices(&format!("{}/{}", list_of(&here), webhook.id)),
        charts: [
            bars("attempts", Words::ATTEMPTS, period.spoken(), &went.map(Outcomes::of_attempts)),
            latency("latency", period.spoken(), &went),
        ],
        description: webhook.description,
        headers: webhook.headers.into_iter().map(header).collect(),
        rate_limit: webhook.rate_limit.map(|rate| rate_limit::in_words(rate.limit, rate.window_seconds)),
        created: When::at(webhook.created_at),
        created_by: webhook.created_by.name,
        deliveries,
        all_deliveries: of_webhook(&here, webhook.id),
    })?)
}

fn header(header: ShownHeader) -> (String, String) {
    let value = header.value.filter(|_| !header.secret);
    (header.name, value.unwrap_or_else(|| "••••• (secret)".to_owned()))
}

/// How attempts went in the last 24 hours: `99.1 % of 214`.
fn went_lately(went: Vec<(Timestamp, AttemptCounts)>) -> Lately {
    let went = Timeline::of(went, Period::Day.step(), AttemptCounts::add).map(Outcomes::of_attempts);
    let sum = Outcomes::sum(went.values());
    let all = sum.good.saturating_add(sum.bad);
    let attempts = if all == 1 { "attempt" } else { "attempts" };
    let said = format!("{} of {} {attempts} succeeded", rate(sum.good, all), grouped(all));
    Lately { spark: Sparkline::of(&went), said }
}
