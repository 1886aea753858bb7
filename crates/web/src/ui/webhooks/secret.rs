//! The signing secret: masked, and shown to whoever asks by a button, which the audit log remembers.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;
use keybell_app::webhooks::{SIGNING_SECRETS_MAX, ShownSecret, Webhook};
use keybell_core::grant::ManageWebhooks;

use super::{head, webhook_of};
use crate::problem::Answer;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{CopyField, When};
use crate::ui::view::webhooks::{SecretPage, WebhookPart};

/// Ids of the fields. A webhook has one secret, and another while it is being rotated; a third comes of rotating again
/// within the overlap.
const FIELD_IDS: [&str; SIGNING_SECRETS_MAX] = ["secret-1", "secret-2", "secret-3", "secret-4", "secret-5"];

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = webhook_of(&app, &here, &id).await?;
    Ok(page(&view(&here, &webhook, None))?)
}

pub(super) async fn reveal(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let webhook = webhook_of(&app, &here, &id).await?;
    let secrets = app.signing_secrets(grant, webhook.id).await?;
    Ok(page(&view(&here, &webhook, Some(secrets)))?)
}

pub(super) fn view(here: &Inside, webhook: &Webhook, secrets: Option<Vec<ShownSecret>>) -> SecretPage {
    let shown = |(id, secret): (&&'static str, ShownSecret)| {
        let field = CopyField::new(id, "Signing secret", secret.secret.reveal());
        (field, When::at(secret.created_at), secret.expires_at.map(When::at))
    };
    SecretPage {
        frame: here.frame(Section::Webhooks),
        head: head(here, webhook, Some(WebhookPart::SigningSecret)),
        secrets: secrets.map(|secrets| FIELD_IDS.iter().zip(secrets).map(shown).collect()),
        may_reveal: here.may::<ManageWebhooks>(&webhook.created_by.id),
    }
}
