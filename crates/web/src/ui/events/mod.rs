//! The pages of events: what happened in the workspace, and where it went.

mod list;
mod one;
mod resend;

use axum::Router;
use axum::routing::{get, post};
use keybell_app::App;

use super::signed::Inside;

pub(super) fn router() -> Router<App> {
    const EVENTS: &str = "/w/{workspace}/settings/advanced/developer/events";
    Router::new()
        .route(EVENTS, get(list::list))
        .route(&format!("{EVENTS}/{{event}}"), get(one::one))
        .route(&format!("{EVENTS}/{{event}}/resend"), post(resend::resend))
}

/// Where the list is.
pub(super) fn list_of(here: &Inside) -> String {
    format!("{}/events", here.developer())
}
