//! The pages of events: what happened in the workspace, and where it went.

mod list;
mod one;
mod resend;

use keybell_app::App;

use super::signed::Inside;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    const EVENTS: &str = "/w/{workspace}/settings/advanced/developer/events";
    Routes::for_members()
        .page(EVENTS, list::list)
        .page(&format!("{EVENTS}/{{event}}"), one::one)
        .deed(&format!("{EVENTS}/{{event}}/resend"), resend::resend)
}

/// Where the list is.
pub(super) fn list_of(here: &Inside) -> String {
    format!("{}/events", here.developer())
}
