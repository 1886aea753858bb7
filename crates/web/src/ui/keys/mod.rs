//! The pages of API keys.

mod end_overlap;
mod expiry;
mod file;
mod form;
mod list;
mod one;
mod revoke;
mod rotate;
mod shown;

use keybell_app::App;
use keybell_core::grant::{ManageKeys, ReadKeys};
use keybell_core::key::{ApiKey, KeyStatus, PreviousSecret};
use keybell_core::{Code, Problem, Timestamp};

use super::back::Back;
use super::fields::Fields;
use super::signed::Inside;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    const KEYS: &str = "/w/{workspace}/settings/advanced/developer/api-keys";
    Routes::for_members()
        .page(KEYS, list::list)
        .download(&format!("{KEYS}.csv"), file::download)
        .form(&format!("{KEYS}/new"), form::new, form::create)
        .page(&format!("{KEYS}/{{key}}"), one::one)
        .form(&format!("{KEYS}/{{key}}/edit"), form::edit, form::save)
        .form(&format!("{KEYS}/{{key}}/revoke"), revoke::ask, revoke::revoke)
        .form(&format!("{KEYS}/{{key}}/rotate"), rotate::ask, rotate::rotate)
        .deed(&format!("{KEYS}/{{key}}/end-overlap"), end_overlap::end)
}

/// Where in the list the link or the form came from.
fn back(here: &Inside, said: &Fields) -> Back {
    Back::of(list_of(here), &list::FILTERS, said)
}

/// Where the list is.
fn list_of(here: &Inside) -> String {
    format!("{}/api-keys", here.developer())
}

/// The key that a path names by its public identifier.
async fn key_of(app: &App, here: &Inside, id: &str) -> Result<ApiKey, Problem> {
    let id = app.key_id(id).ok_or(Code::NotFound)?;
    app.key(here.grant::<ReadKeys>()?, id).await
}

/// The same for whoever may manage it, so that nobody is shown a form that would be refused.
async fn manageable(app: &App, here: &Inside, id: &str) -> Result<ApiKey, Problem> {
    let key = key_of(app, here, id).await?;
    if here.may::<ManageKeys>(&key.created_by.id) { Ok(key) } else { Err(Code::Forbidden.into()) }
}

/// Whether the key verifies, and is refused by whatever asks for a scope. One that is off, expired or revoked does not verify.
fn verifies_without_scopes(key: &ApiKey, now: Timestamp) -> bool {
    key.scopes.is_empty() && key.status(now) == KeyStatus::Active
}

/// The secret before the last rotation, while it is good: not of a key that is revoked, of which no secret is.
fn old_secret(key: &ApiKey, now: Timestamp) -> Option<PreviousSecret> {
    key.previous_secret.filter(|previous| key.revoked_at.is_none() && previous.expires_at > now)
}
