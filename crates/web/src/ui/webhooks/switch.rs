//! The status switch: a button of a form, so that it needs no script.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::webhooks::WebhookPatch;
use keybell_core::grant::ManageWebhooks;
use keybell_core::{Code, WebhookId};

use super::list_of;
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::fields::Form;
use crate::ui::signed::Inside;

pub(super) async fn switch(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let id = WebhookId::parse(&id).ok_or(Code::NotFound)?;
    // The form says what shall be, not "the other": sent twice, it is the same.
    let enabled = match form.one("enabled") {
        "yes" => true,
        "no" => false,
        _ => return Err(Code::Malformed.into()),
    };
    app.edit_webhook(grant, id, WebhookPatch { enabled: Some(enabled), ..WebhookPatch::default() }).await?;
    let done = if enabled { "webhook-enabled" } else { "webhook-disabled" };
    let list = list_of(&here);
    let back = if form.one("from") == "page" {
        format!("{list}/{id}?done={done}")
    } else {
        // To its row on its page, from where Tab goes on. Not to the switch itself: a key that is held down would press it
        // again.
        format!("{}#{id}", Back::of(list, &[], &form).done(done))
    };
    Ok(Redirect::to(&back).into_response())
}
