//! The Developer page's overview.

use axum::extract::State;
use axum::response::Response;
use keybell_app::App;
use keybell_app::page::Counted;
use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::{ManageKeys, ManageWebhooks, ReadKeys, ReadWebhooks};
use keybell_core::key::Counts;
use tokio::try_join;

use super::charts::{Outcomes, Timeline, Words, bars};
use super::page;
use super::period::Period;
use super::signed::Inside;
use super::view::form::CopyField;
use super::view::frame::Section;
use super::view::workspace::OverviewPage;
use crate::envelope::base_url;
use crate::problem::Answer;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_members().page("/w/{workspace}/settings/advanced/developer", overview)
}

async fn overview(State(app): State<App>, here: Inside) -> Answer<Response> {
    let lately = Period::Day;
    let question = lately.question(app.now());
    let (keys, webhooks, used, went) = try_join!(
        app.count_keys(here.grant::<ReadKeys>()?),
        app.count_webhooks(here.grant::<ReadWebhooks>()?),
        app.usage_of_workspace(here.grant::<ReadKeys>()?, question),
        app.stats_of_workspace(here.grant::<ReadWebhooks>()?, question),
    )?;
    let active = |counted: &Counted| {
        // Not all are counted: a workspace with more wants to know that there are many.
        if counted.or_more { format!("{}+", counted.active) } else { counted.active.to_string() }
    };
    let keys_chart = (keys.all > 0).then(|| {
        let used = Timeline::of(used, lately.step(), |sum: &mut Counts, more| *sum += *more);
        bars("requests", Words::REQUESTS, lately.spoken(), &used.map(Outcomes::of_requests))
    });
    let webhooks_chart = (webhooks.all > 0).then(|| {
        let went = Timeline::of(went, lately.step(), AttemptCounts::add);
        bars("attempts", Words::ATTEMPTS, lately.spoken(), &went.map(Outcomes::of_attempts))
    });
    Ok(page(&OverviewPage {
        frame: here.frame(Section::Overview),
        developer: here.developer(),
        keys_active: active(&keys),
        keys_other: keys.all - keys.active,
        webhooks_active: active(&webhooks),
        webhooks_other: webhooks.all - webhooks.active,
        keys_chart,
        webhooks_chart,
        may_manage_keys: here.grant::<ManageKeys>().is_ok(),
        may_manage_webhooks: here.grant::<ManageWebhooks>().is_ok(),
        is_new: keys.all == 0 || webhooks.all == 0,
        base_url: CopyField::new("base-url", "Base URL", base_url(&app)),
        workspace_id: CopyField::new("workspace-id", "Workspace id", here.place.workspace.to_string()),
    })?)
}
