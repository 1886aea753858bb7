//! Revoking a key: a page that says what will happen, then the deed.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_core::Problem;
use keybell_core::grant::ManageKeys;
use keybell_core::key::ApiKey;

use super::{key_of, list_of};
use crate::problem::Answer;
use crate::ui::fields::{Form, errors_of};
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::RevokePage;
use crate::ui::view::parts::{Errors, When};
use crate::ui::{page, page_refused};

/// How long after its last use a key counts as in use, in seconds: its name has to be typed then.
const IN_USE_SECONDS: u64 = 86_400;

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    here.grant::<ManageKeys>()?;
    let key = key_of(&app, &here, &id).await?;
    Ok(page(&view(&app, &here, key, Errors::default()))?)
}

pub(super) async fn revoke(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let key = key_of(&app, &here, &id).await?;
    let confirmed = form.one("confirm").trim();
    // A page from before the key's last use still has the checkbox; that is no reason to let it pass.
    let enough = if is_in_use(&app, &key) { confirmed == key.name.trim() } else { !confirmed.is_empty() };
    if !enough {
        let message = if is_in_use(&app, &key) { "type the name of the key" } else { "tick the box" };
        let (errors, problem) = errors_of(Problem::field("confirm", "required", message))?;
        return Ok(page_refused(&view(&app, &here, key, errors), &problem)?);
    }
    app.revoke_key(grant, key.id).await?;
    Ok(Redirect::to(&format!("{}?done=key-revoked", list_of(&here))).into_response())
}

fn is_in_use(app: &App, key: &ApiKey) -> bool {
    key.last_used_at.is_some_and(|used| app.now().since(used).as_secs() < IN_USE_SECONDS)
}

fn view(app: &App, here: &Inside, key: ApiKey, errors: Errors) -> RevokePage {
    let id = key.public_identifier(app.brand()).to_string();
    let list = list_of(here);
    RevokePage {
        frame: here.frame(Section::Keys),
        action: format!("{list}/{id}/revoke"),
        list,
        type_name: is_in_use(app, &key),
        name: key.name,
        id,
        last_used: key.last_used_at.map(When::near),
        last_used_from: key.last_used_from,
        errors,
    }
}
