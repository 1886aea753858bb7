//! The pages of webhooks.

mod delete;
mod form;
mod health;
mod list;
mod picker;
mod rotate;
mod secret;
mod switch;
mod test;
mod tested;
mod verify;
mod written;

use keybell_app::App;
use keybell_app::webhooks::{Webhook, WebhookStatus};
use keybell_core::grant::{ManageWebhooks, ReadWebhooks};
use keybell_core::operator_event::is_reserved;
use keybell_core::{Code, Problem, WebhookId};

use super::deliveries::of_webhook;
use super::example::label;
use super::signed::Inside;
use super::view::parts::{Badge, Tone, When};
use super::view::webhooks::{WebhookHead, WebhookPart, WebhookRow};
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    const WEBHOOKS: &str = "/w/{workspace}/settings/advanced/developer/webhooks";
    Routes::for_members()
        .page(WEBHOOKS, list::list)
        .form(&format!("{WEBHOOKS}/new"), form::new, form::create)
        .document(&format!("{WEBHOOKS}/example"), form::example)
        .page(&format!("{WEBHOOKS}/{{webhook}}"), list::one)
        .form(&format!("{WEBHOOKS}/{{webhook}}/edit"), form::edit, form::save)
        .deed(&format!("{WEBHOOKS}/{{webhook}}/switch"), switch::switch)
        .form(&format!("{WEBHOOKS}/{{webhook}}/test"), test::ask, test::send)
        .form(&format!("{WEBHOOKS}/{{webhook}}/delete"), delete::ask, delete::delete)
        .form(&format!("{WEBHOOKS}/{{webhook}}/signing-secret"), secret::ask, secret::reveal)
        .form(&format!("{WEBHOOKS}/{{webhook}}/signing-secret/rotate"), rotate::ask, rotate::rotate)
        .page(&format!("{WEBHOOKS}/{{webhook}}/verify"), verify::show)
}

/// Where the list is.
fn list_of(here: &Inside) -> String {
    format!("{}/webhooks", here.developer())
}

pub(super) use picker::event_types;

/// The names of the event types there are.
fn event_type_names(app: &App) -> Result<Vec<String>, Problem> {
    Ok(picker::event_types(app)?.into_iter().map(|kind| kind.name).collect())
}

/// The event types to choose from: the chosen one as well, which the catalogue may no longer have.
pub(super) fn event_type_choices(app: &App, chosen: Option<&str>) -> Result<Vec<String>, Problem> {
    let mut names = event_type_names(app)?;
    let gone = chosen.filter(|chosen| !names.iter().any(|name| name == chosen));
    names.extend(gone.map(str::to_owned));
    Ok(names)
}

/// The webhook that a path names.
async fn webhook_of(app: &App, here: &Inside, id: &str) -> Result<Webhook, Problem> {
    let id = WebhookId::parse(id).ok_or(Code::NotFound)?;
    app.webhook(here.grant::<ReadWebhooks>()?, id).await
}

/// The head of a webhook's pages, of which `open` is open.
fn head(here: &Inside, webhook: &Webhook, open: Option<WebhookPart>) -> WebhookHead {
    head_of(here, (webhook.id, &webhook.name, &webhook.created_by.id), open)
}

/// The same for one of which no more is known than its name: its id, its name, and the id of whoever made it.
pub(in crate::ui) fn head_of(
    here: &Inside,
    (id, name, made_by): (WebhookId, &str, &str),
    open: Option<WebhookPart>,
) -> WebhookHead {
    let list = list_of(here);
    WebhookHead {
        href: format!("{list}/{id}"),
        list,
        name: name.to_owned(),
        deliveries: of_webhook(here, id),
        may_manage: here.may::<ManageWebhooks>(made_by),
        open,
    }
}

/// A webhook as a row of the list, and as the head of its own page.
fn row(here: &Inside, webhook: &Webhook, switch_from: &'static str) -> WebhookRow {
    // Beside all of the platform's, only Keybell's own are more.
    let everything = webhook.events.iter().any(|event| event == "*");
    let events = webhook.events.iter().filter(|event| !everything || is_reserved(event)).cloned();
    let everything = everything.then(|| "All events".to_owned());
    WebhookRow {
        id: webhook.id.to_string(),
        href: format!("{}/{}", list_of(here), webhook.id),
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        events: everything.into_iter().chain(events).collect(),
        content_type: label(webhook.content_type),
        status: match webhook.status {
            WebhookStatus::Active => Badge::new(Tone::Good, "Active"),
            WebhookStatus::Failing => Badge::new(Tone::Bad, "Failing"),
            WebhookStatus::Disabled => Badge::new(Tone::Plain, "Disabled"),
        },
        enabled: webhook.enabled,
        lately: None,
        last_delivery: webhook.last_delivery_at.map(When::near),
        may_manage: here.may::<ManageWebhooks>(&webhook.created_by.id),
        switch_from,
        switch_back: here.place_in(list_of(here), &[]).said(),
    }
}
