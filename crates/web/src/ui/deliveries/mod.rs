//! The pages of deliveries: what was sent, and what came back.

mod curl;
mod file;
mod list;
mod live;
mod one;
mod resend;
mod took;

use std::collections::HashMap;

use keybell_app::App;
use keybell_app::deliveries::{DeliveryStatus, DeliverySummary};
use keybell_app::webhooks::NamedWebhook;
use keybell_core::grant::{ManageWebhooks, ReadPayloads, ReadWebhooks};
use keybell_core::{Problem, WebhookId};

use super::signed::Inside;
use super::view::deliveries::DeliveryRow;
use super::view::parts::{Badge, Tone, When};
use crate::routes::Routes;

pub(super) use list::latest_of;
pub(super) use one::shown;
use took::took;

pub(super) fn routes() -> Routes<App> {
    const DELIVERIES: &str = "/w/{workspace}/settings/advanced/developer/deliveries";
    Routes::for_members()
        .page(DELIVERIES, list::list)
        .download(&format!("{DELIVERIES}.csv"), file::download)
        .event_stream(&format!("{DELIVERIES}/live"), live::live)
        .form(&format!("{DELIVERIES}/resend"), resend::ask, resend::many)
        .deed(&format!("{DELIVERIES}/resend-these"), resend::these)
        .page(&format!("{DELIVERIES}/{{delivery}}"), one::one)
        .deed(&format!("{DELIVERIES}/{{delivery}}/resend"), resend::one)
}

/// Where the list is.
fn list_of(here: &Inside) -> String {
    format!("{}/deliveries", here.developer())
}

/// Where the deliveries of a webhook are.
pub(super) fn of_webhook(here: &Inside, webhook: WebhookId) -> String {
    format!("{}?webhook_id={webhook}", list_of(here))
}

/// Where the deliveries of an event are.
pub(super) fn of_event(here: &Inside, event: &str) -> String {
    format!("{}?event_id={event}", list_of(here))
}

/// Webhooks to choose from in a filter, at most: some 15 KB of a page that is read again with every filter.
const CHOICES_MAX: usize = 200;

/// The workspace's webhooks, as far as the log speaks of them.
pub(super) struct Webhooks(HashMap<WebhookId, NamedWebhook>);

impl Webhooks {
    /// All of them.
    pub(super) fn of(app: &App, here: &Inside) -> Result<Webhooks, Problem> {
        let names = app.webhook_names(&here.grant::<ReadWebhooks>()?);
        Ok(Webhooks(names.into_iter().map(|webhook| (webhook.id, webhook)).collect()))
    }

    /// That one alone, where nothing speaks of another.
    pub(super) fn only(app: &App, here: &Inside, webhook: WebhookId) -> Result<Webhooks, Problem> {
        let name = app.webhook_name(&here.grant::<ReadWebhooks>()?, webhook);
        Ok(Webhooks(name.into_iter().map(|webhook| (webhook.id, webhook)).collect()))
    }

    /// A webhook's name, or its id where it has been deleted.
    pub(super) fn name(&self, webhook: WebhookId) -> String {
        self.get(webhook).map_or_else(|| webhook.to_string(), |webhook| webhook.name.as_ref().to_owned())
    }

    /// A webhook that has not been deleted.
    fn get(&self, webhook: WebhookId) -> Option<&NamedWebhook> {
        self.0.get(&webhook)
    }

    /// The webhooks to choose from in a filter, by name: id and name. None where there is one alone, or more than anybody
    /// finds one in by looking; the page of a webhook leads to its deliveries then, as it always does.
    fn choices(&self) -> Vec<(String, String)> {
        if !(2..=CHOICES_MAX).contains(&self.0.len()) {
            return Vec::new();
        }
        let mut webhooks: Vec<_> = self.0.values().collect();
        webhooks.sort_by_cached_key(|webhook| (webhook.name.to_lowercase(), webhook.id));
        let choice = |webhook: &NamedWebhook| (webhook.id.to_string(), webhook.name.as_ref().to_owned());
        webhooks.into_iter().map(choice).collect()
    }

    /// Whether the person may have this delivery made again.
    pub(super) fn may_resend(&self, here: &Inside, delivery: &DeliverySummary) -> bool {
        let is_theirs =
            |webhook: &NamedWebhook| webhook.enabled && here.may::<ManageWebhooks>(&webhook.created_by_id);
        delivery.status != DeliveryStatus::Pending && self.get(delivery.webhook_id).is_some_and(is_theirs)
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
        may_resend: webhooks.may_resend(here, &delivery),
        event_type: delivery.event_type,
        webhook: webhooks.name(delivery.webhook_id),
        status: badge(delivery.status),
        answer,
        attempts: delivery.attempts_made,
        took: delivery.completed_at.map_or_else(|| "—".to_owned(), |at| took(at.since(delivery.created_at))),
        at: When::near(delivery.created_at),
        next: delivery.next_attempt_at.map(When::near),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhooks(names: impl IntoIterator<Item = String>) -> Webhooks {
        let all = names.into_iter().enumerate().map(|(index, name)| {
            let made_at =
                keybell_core::Timestamp::from_seconds(1_795_447_916 + i64::try_from(index).expect("few"));
            let id = WebhookId::first_of(made_at);
            (id, NamedWebhook { id, name: name.into(), enabled: true, created_by_id: "usr_1".into() })
        });
        Webhooks(all.collect())
    }

    #[test]
    fn webhooks_are_chosen_by_name() {
        let known = webhooks(["beta", "Alpha", "gamma", "beta"].map(str::to_owned));
        let choices = known.choices();
        let names: Vec<_> = choices.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["Alpha", "beta", "beta", "gamma"]);
        assert!(choices[1].0 < choices[2].0, "of one name, the older first");
    }

    #[test]
    fn more_webhooks_than_two_hundred_are_not_chosen_from_a_list() {
        let choices =
            |many: usize| webhooks((0..many).map(|number| format!("Hook {number}"))).choices().len();
        assert_eq!([1, 2, CHOICES_MAX, CHOICES_MAX + 1].map(choices), [0, 2, CHOICES_MAX, 0]);
    }
}
