//! The pages of the event catalogue: what a webhook can be sent.

mod list;
mod one;

use axum::Router;
use axum::routing::get;
use keybell_app::App;
use keybell_core::grant::ManageWebhooks;

use super::signed::Inside;

pub(super) fn router() -> Router<App> {
    const CATALOGUE: &str = "/w/{workspace}/settings/advanced/developer/event-catalogue";
    Router::new()
        .route(CATALOGUE, get(list::list))
        .route(&format!("{CATALOGUE}/{{event_type}}"), get(one::one))
}

/// Where the catalogue is.
pub(super) fn list_of(here: &Inside) -> String {
    format!("{}/event-catalogue", here.developer())
}

/// Where the form of a new webhook is, for whoever may make one. `?events=` after it ticks an event.
fn new_webhook(here: &Inside) -> Option<String> {
    here.grant::<ManageWebhooks>().is_ok().then(|| format!("{}/webhooks/new", here.developer()))
}
