//! The Developer page's overview.

use axum::extract::State;
use axum::response::Response;
use keybell_app::keys::KeyFilter;
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::webhooks::WebhookStatus;
use keybell_app::{App, Page};
use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::{ManageKeys, ManageWebhooks, ReadKeys, ReadWebhooks};
use keybell_core::key::{Counts, KeyStatus};

use super::charts::{Outcomes, Timeline, Words, bars};
use super::page;
use super::period::Period;
use super::signed::Inside;
use super::view::frame::Section;
use super::view::parts::CopyField;
use super::view::workspace::OverviewPage;
use crate::envelope::base_url;
use crate::problem::Answer;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_members().page("/w/{workspace}/settings/advanced/developer", overview)
}

async fn overview(State(app): State<App>, here: Inside) -> Answer<Response> {
    let now = app.now();
    let first = || Page::new(Some(PAGE_LIMIT_MAX), None);
    let keys = app.list_keys(here.grant::<ReadKeys>()?, KeyFilter::default(), first()?).await?;
    let keys_active = keys.data.iter().filter(|key| key.status(now) == KeyStatus::Active).count();
    let webhooks = app.list_webhooks(here.grant::<ReadWebhooks>()?, first()?).await?;
    let webhooks_active =
        webhooks.data.iter().filter(|webhook| webhook.status == WebhookStatus::Active).count();
    // Only the first page is counted: a workspace with more wants to know that there are many.
    let more = |count: usize, is_more: bool| if is_more { format!("{count}+") } else { count.to_string() };
    let lately = Period::Day;
    let keys_chart = if keys.data.is_empty() {
        None
    } else {
        let used = app.usage_of_workspace(here.grant::<ReadKeys>()?, lately.question(now)).await?;
        let used = Timeline::of(used, lately.step(), |sum: &mut Counts, more| *sum += *more);
        Some(bars("requests", Words::REQUESTS, lately.spoken(), &used.map(Outcomes::of_requests)))
    };
    let webhooks_chart = if webhooks.data.is_empty() {
        None
    } else {
        let went = app.stats_of_workspace(here.grant::<ReadWebhooks>()?, lately.question(now)).await?;
        let went = Timeline::of(went, lately.step(), AttemptCounts::add);
        Some(bars("attempts", Words::ATTEMPTS, lately.spoken(), &went.map(Outcomes::of_attempts)))
    };
    Ok(page(&OverviewPage {
        frame: here.frame(Section::Overview),
        developer: here.developer(),
        keys_active: more(keys_active, keys.next_cursor.is_some()),
        keys_other: keys.data.len() - keys_active,
        webhooks_active: more(webhooks_active, webhooks.next_cursor.is_some()),
        webhooks_other: webhooks.data.len() - webhooks_active,
        keys_chart,
        webhooks_chart,
        may_manage_keys: here.grant::<ManageKeys>().is_ok(),
        may_manage_webhooks: here.grant::<ManageWebhooks>().is_ok(),
        is_new: keys.data.is_empty() || webhooks.data.is_empty(),
        base_url: CopyField::new("base-url", "Base URL", base_url(&app)),
        workspace_id: CopyField::new("workspace-id", "Workspace id", here.place.workspace.to_string()),
    })?)
}
