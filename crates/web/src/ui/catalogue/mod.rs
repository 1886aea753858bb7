//! The pages of the event catalogue: what a webhook can be sent.

mod list;
mod one;

use keybell_app::App;
use keybell_core::grant::ManageWebhooks;

use super::signed::Inside;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    const CATALOGUE: &str = "/w/{workspace}/settings/advanced/developer/event-catalogue";
    Routes::for_members().page(CATALOGUE, list::list).page(&format!("{CATALOGUE}/{{event_type}}"), one::one)
}

/// Where the catalogue is.
pub(super) fn list_of(here: &Inside) -> String {
    format!("{}/event-catalogue", here.developer())
}

/// Where the form of a new webhook is, for whoever may make one. `?events=` after it ticks an event.
fn new_webhook(here: &Inside) -> Option<String> {
    here.grant::<ManageWebhooks>().is_ok().then(|| format!("{}/webhooks/new", here.developer()))
}
