//! Deleting a webhook: a page that says what will happen, then the deed.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_core::grant::ManageWebhooks;

use super::form::manageable;
use super::{head, list_of};
use crate::problem::Answer;
use crate::ui::fields::Form;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::webhooks::DeletePage;

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = manageable(&app, &here, &id).await?;
    Ok(page(&DeletePage {
        frame: here.frame(Section::Webhooks),
        head: head(&here, &webhook, None),
        action: format!("{}/{}/delete", list_of(&here), webhook.id),
        url: webhook.url,
    })?)
}

pub(super) async fn delete(
    State(app): State<App>,
    here: Inside,
    Path((workspace, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    if form.one("confirm") != "yes" {
        return ask(State(app), here, Path((workspace, id))).await;
    }
    let webhook = manageable(&app, &here, &id).await?;
    app.delete_webhook(grant, webhook.id).await?;
    Ok(Redirect::to(&format!("{}?done=webhook-deleted", list_of(&here))).into_response())
}
