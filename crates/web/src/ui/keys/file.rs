//! The list of API keys as a file, without anything secret: Keybell keeps no secret key that it could write there.

use axum::extract::State;
use axum::response::Response;
use keybell_app::keys::KeyFilter;
use keybell_app::{App, Listing, Page};
use keybell_core::key::ApiKey;
use keybell_core::{Problem, Timestamp};

use super::list::{FILTERS, filter};
use super::list_of;
use crate::problem::Answer;
use crate::ui::download::{self, Rows};
use crate::ui::fields::Fields;
use crate::ui::signed::Inside;

/// The keys that are downloaded.
struct Keys(KeyFilter);

/// The file of what the list's page shows by the same filter.
pub(super) async fn download(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let filter = filter(&query);
    // A filter that is not understood would make a file of everything.
    if filter.status.is_none() && query.some("status").is_some() {
        return Err(Problem::field("status", "invalid", "is no status of a key").into());
    }
    if filter.environment.is_none() && query.some("environment").is_some() {
        return Err(Problem::field("environment", "invalid", "must be live or test").into());
    }
    let list = list_of(&here);
    Ok(download::file(app, here, &query, &list, &FILTERS, Keys(filter)).await?)
}

impl Rows for Keys {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "description",
        "environment",
        "status",
        "scopes",
        "allowed_networks",
        "created_at",
        "created_by",
        "expires_at",
        "last_used_at",
        "last_used_from",
        "revoked_at",
    ];

    async fn read(&self, app: &App, here: &Inside, page: Page) -> Result<Listing<Vec<String>>, Problem> {
        let found = app.list_keys(here.grant()?, self.0.clone(), page).await?;
        let rows = found.data.into_iter().map(|key| cells(app, &key));
        Ok(Listing { data: rows.collect(), next_cursor: found.next_cursor })
    }
}

fn cells(app: &App, key: &ApiKey) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let networks: Vec<String> = key.allowed_networks.iter().map(ToString::to_string).collect();
    vec![
        key.public_identifier(app.brand()).to_string(),
        key.name.clone(),
        key.description.clone(),
        key.environment.as_str().to_owned(),
        key.status(app.now()).as_str().to_owned(),
        key.scopes.join(" "),
        networks.join(" "),
        key.created_at.to_string(),
        key.created_by.name.clone(),
        time(key.expires_at),
        time(key.last_used_at),
        key.last_used_from.clone().unwrap_or_default(),
        time(key.revoked_at),
    ]
}
