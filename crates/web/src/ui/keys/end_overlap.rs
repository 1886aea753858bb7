//! Ending the overlap of a rotation at once, from the key's page: the old secret is no good any more.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_core::grant::ManageKeys;

use super::{list_of, manageable, old_secret};
use crate::problem::Answer;
use crate::ui::fields::Form;
use crate::ui::signed::Inside;

pub(super) async fn end(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let key = manageable(&app, &here, &id).await?;
    // The form says which overlap it means by its end: one that was left open ends none that a later rotation began. Where
    // there is none any more, it was sent before, or time has ended it.
    let done = match old_secret(&key, app.now()) {
        Some(old) if old.expires_at.to_string() != form.one("ends") => "old-secret-another",
        Some(_) => {
            app.end_overlap(grant, key.id).await?;
            "old-secret-ended"
        }
        None => "old-secret-ended",
    };
    Ok(Redirect::to(&format!("{}/{id}?done={done}", list_of(&here))).into_response())
}
