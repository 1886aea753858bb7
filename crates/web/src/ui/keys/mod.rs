//! The pages of API keys.

mod expiry;
mod form;
mod list;
mod one;
mod revoke;
mod rotate;
mod shown;

use axum::Router;
use axum::routing::get;
use keybell_app::App;
use keybell_core::grant::ReadKeys;
use keybell_core::key::ApiKey;
use keybell_core::{Code, Problem};

use super::signed::Inside;

pub(super) fn router() -> Router<App> {
    const KEYS: &str = "/w/{workspace}/settings/advanced/developer/api-keys";
    Router::new()
        .route(KEYS, get(list::list))
        .route(&format!("{KEYS}/new"), get(form::new).post(form::create))
        .route(&format!("{KEYS}/{{key}}"), get(one::one))
        .route(&format!("{KEYS}/{{key}}/edit"), get(form::edit).post(form::save))
        .route(&format!("{KEYS}/{{key}}/revoke"), get(revoke::ask).post(revoke::revoke))
        .route(&format!("{KEYS}/{{key}}/rotate"), get(rotate::ask).post(rotate::rotate))
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
