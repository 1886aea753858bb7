//! The signing secret: masked, and shown to whoever asks by a button, which the audit log remembers. To load the page of the
//! secret again does not show it again: whoever sits down at a browser that was left has to press the button themselves.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::webhooks::{SIGNING_SECRETS_MAX, ShownSecret, Webhook};
use keybell_core::grant::{ManageWebhooks, ReadWebhooks};

use super::{head, list_of, webhook_of};
use crate::problem::Answer;
use crate::ui::fields::Form;
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::form::CopyField;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::When;
use crate::ui::view::webhooks::{SecretPage, WebhookPart};
use crate::ui::{first_time, once, page};

/// Ids of the fields. A webhook has one secret, and another while it is being rotated; a third comes of rotating again
/// within the overlap.
const FIELD_IDS: [&str; SIGNING_SECRETS_MAX] = ["secret-1", "secret-2", "secret-3", "secret-4", "secret-5"];

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = webhook_of(&app, &here, &id).await?;
    let previous = app.signing_overlap_ends(here.grant::<ReadWebhooks>()?, webhook.id).await?;
    let (token, previous) = (form_token(&app), previous.map(When::near));
    Ok(page(&SecretPage { previous, token, ..view(&here, &webhook, None) })?)
}

pub(super) async fn reveal(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let webhook = webhook_of(&app, &here, &id).await?;
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        let masked = format!("{}/{}/signing-secret", list_of(&here), webhook.id);
        return Ok(Redirect::to(&masked).into_response());
    };
    let (shower, id) = (app.clone(), webhook.id);
    let secrets = once(&app, under_way, async move { shower.signing_secrets(grant, id).await }).await?;
    Ok(page(&view(&here, &webhook, Some(secrets)))?)
}

pub(super) fn view(here: &Inside, webhook: &Webhook, secrets: Option<Vec<ShownSecret>>) -> SecretPage {
    let several = secrets.as_ref().is_some_and(|secrets| secrets.len() > 1);
    let shown = |(id, secret): (&&'static str, ShownSecret)| {
        let label = match secret.expires_at {
            Some(_) => "Old signing secret",
            None if several => "New signing secret",
            None => "Signing secret",
        };
        let field = CopyField::new(id, label, secret.secret.reveal());
        (field, When::at(secret.created_at), secret.expires_at.map(When::at))
    };
    SecretPage {
        frame: here.frame(Section::Webhooks),
        head: head(here, webhook, Some(WebhookPart::SigningSecret)),
        secrets: secrets.map(|secrets| FIELD_IDS.iter().zip(secrets).map(shown).collect()),
        previous: None,
        token: String::new(),
        may_reveal: here.may::<ManageWebhooks>(&webhook.created_by.id),
    }
}
